//! Samples as a file of sound.

/// The bytes of a WAV file: one channel, 16 bits a sample. What is beyond full scale is cut.
pub fn wav(samples: &[f32], rate: u32) -> Vec<u8> {
    let data = 2 * samples.len() as u32;
    let mut file = Vec::with_capacity(44 + 2 * samples.len());
    file.extend(b"RIFF");
    file.extend((36 + data).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    // PCM, one channel.
    file.extend([1, 0, 1, 0]);
    file.extend(rate.to_le_bytes());
    file.extend((2 * rate).to_le_bytes());
    // Two bytes a sample of all channels, 16 bits.
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    for sample in samples {
        let scaled = (sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16;
        file.extend(scaled.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::wav;

    #[test]
    fn a_file_says_what_it_holds() {
        let file = wav(&[0.0, 1.0, -1.0, 2.0], 16_000);
        assert_eq!(file.len(), 44 + 8);
        assert_eq!(&file[..4], b"RIFF");
        assert_eq!(u32::from_le_bytes(file[4..8].try_into().unwrap()), 44);
        assert_eq!(u32::from_le_bytes(file[24..28].try_into().unwrap()), 16_000);
        let samples: Vec<i16> = file[44..]
            .chunks(2)
            .map(|b| i16::from_le_bytes([b[0], b[1]]))
            .collect();
        assert_eq!(samples, [0, 32_767, -32_767, 32_767]);
    }

    #[cfg(feature = "decode")]
    #[test]
    fn a_file_is_read_back() {
        let tone: Vec<f32> = (0..1600).map(|n| (n as f32 * 0.1).sin() * 0.5).collect();
        let read = crate::decode(wav(&tone, 16_000)).unwrap();
        let samples = read.mixed();
        assert_eq!((read.rate(), samples.len()), (16_000, 1600));
        let far = samples.iter().zip(&tone).map(|(a, b)| (a - b).abs());
        assert!(far.fold(0.0, f32::max) < 1e-4);
    }
}
