//! Images and what is refused.

use crate::fault::Fault;
use crate::pixels::Pixels;

#[test]
fn sizes_and_bytes_are_checked() {
    assert_eq!(Pixels::new(0, 3, vec![]), Err(Fault::Empty));
    assert_eq!(
        Pixels::new(2, 1, vec![0; 7]),
        Err(Fault::Bytes {
            needed: 8,
            given: 7
        })
    );
    let large = Fault::TooLarge {
        width: 100_000_001,
        height: 1,
    };
    assert_eq!(Pixels::new(100_000_001, 1, vec![]), Err(large.clone()));
    assert_eq!(large.to_string(), "100000001 x 1 are too many pixels");
    let most = Fault::TooLarge {
        width: u64::from(u32::MAX),
        height: u64::from(u32::MAX),
    };
    assert_eq!(Pixels::new(u32::MAX, u32::MAX, vec![]), Err(most));
    assert_eq!(Pixels::new(2, 1, vec![7; 8]).unwrap().rgba(), [7; 8]);
}

#[cfg(feature = "decode")]
mod files {
    use crate::fault::Fault;
    use crate::tests::{fixture, photo};
    use crate::{Pixels, decode};

    /// A PNG's parts: a length, a name, bytes and their check.
    fn chunk(name: &[u8; 4], bytes: &[u8]) -> Vec<u8> {
        let body = [name.as_slice(), bytes].concat();
        let crc = body.iter().fold(!0u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| {
                (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg())
            })
        });
        [
            &(bytes.len() as u32).to_be_bytes(),
            body.as_slice(),
            &(!crc).to_be_bytes(),
        ]
        .concat()
    }

    #[test]
    fn a_file_gives_its_pixels() {
        assert_eq!(decode(&fixture("photo.png")).unwrap(), photo());
    }

    #[test]
    fn a_photograph_is_turned_as_its_data_says() {
        let photo = photo();
        let rgb = image::DynamicImage::from(
            image::RgbaImage::from_raw(photo.width(), photo.height(), photo.rgba().to_vec())
                .unwrap(),
        )
        .into_rgb8();
        let mut file = Vec::new();
        rgb.write_to(
            &mut std::io::Cursor::new(&mut file),
            image::ImageFormat::Jpeg,
        )
        .unwrap();
        let upright = decode(&file).unwrap();
        // One entry, the orientation (0x0112): 6, a quarter to the right.
        let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let mut exif = b"\xff\xe1\0\x22Exif\0\0".to_vec();
        exif.extend_from_slice(tiff);
        let turned = decode(&[&file[..2], &exif, &file[2..]].concat()).unwrap();
        assert_eq!(
            (turned.width(), turned.height()),
            (upright.height(), upright.width())
        );
        let at =
            |p: &Pixels, x: u32, y: u32| p.rgba()[4 * (y * p.width() + x) as usize..][..4].to_vec();
        assert_eq!(at(&turned, 0, 0), at(&upright, 0, upright.height() - 1));
        assert_eq!(at(&turned, turned.width() - 1, 0), at(&upright, 0, 0));
    }

    #[test]
    fn what_is_damaged_or_no_image_is_told() {
        let file = fixture("photo.png");
        for cut in (0..file.len()).step_by(997) {
            assert!(matches!(decode(&file[..cut]), Err(Fault::File(_))), "{cut}");
        }
        for at in (0..file.len()).step_by(1009) {
            let mut damaged = file.clone();
            damaged[at] ^= 0x55;
            let _ = decode(&damaged);
        }
        assert!(matches!(decode(b"<svg/>"), Err(Fault::File(_))));
    }

    #[test]
    fn a_file_that_says_it_is_large_is_refused_before_it_is_read() {
        let size = [100_000u32.to_be_bytes(), 100_000u32.to_be_bytes()].concat();
        let header = chunk(b"IHDR", &[size.as_slice(), &[8, 2, 0, 0, 0]].concat());
        let data = chunk(b"IDAT", &[]);
        let file = [b"\x89PNG\r\n\x1a\n".as_slice(), &header, &data].concat();
        assert_eq!(
            decode(&file),
            Err(Fault::TooLarge {
                width: 100_000,
                height: 100_000
            })
        );
    }
}
