//! Files of sound to samples: WAV, MP3, FLAC, Ogg with Vorbis, and AAC, alone or in MP4. Native: a browser decodes by itself.

use std::io::Cursor;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::default::{get_codecs, get_probe};

use crate::sound::{MAX_CHANNELS, MAX_SECONDS, check_rate};
use crate::{Fault, Result, Sound};

/// The longest file: four hours of two channels of 16 bits at 48 kHz, and some more.
const MAX_BYTES: usize = 3 << 30;

/// The most samples over all channels, 8 GB of them: small files can say much.
const MAX_SAMPLES: usize = 1 << 31;

/// Reads a file of sound: its first track. What kind it is, is seen from its first bytes.
///
/// # Errors
/// [`Fault::Decode`] when it is of no kind that is known, or is broken or cut off before its first sample; other faults when the
/// samples are no [`Sound`]. A file that is cut off later is read up to there, as browsers do.
pub fn decode(file: impl Into<Vec<u8>>) -> Result<Sound> {
    let file = file.into();
    if file.is_empty() {
        return Err(Fault::Empty);
    }
    if file.len() > MAX_BYTES {
        return Err(Fault::TooLong);
    }
    let stream = MediaSourceStream::new(Box::new(Cursor::new(file)), Default::default());
    let (formats, metadata) = (FormatOptions::default(), MetadataOptions::default());
    let mut format = get_probe()
        .probe(&Hint::new(), stream, formats, metadata)
        .map_err(fault)?;
    let track = format
        .default_track(TrackType::Audio)
        .ok_or_else(|| Fault::Decode("it has no track of sound".into()))?;
    let parameters = track.codec_params.as_ref().and_then(|all| all.audio());
    let parameters =
        parameters.ok_or_else(|| Fault::Decode("it does not say how it is coded".into()))?;
    let id = track.id;
    let mut decoder = get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(fault)?;
    let (mut rate, mut channels) = (0, Vec::<Vec<f32>>::new());
    let (mut piece, mut broken) = (Vec::<Vec<f32>>::new(), None);
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(why) => {
                broken = Some(why);
                break;
            }
        };
        if packet.track_id != id {
            continue;
        }
        let decoded = match decoder.decode(&packet) {
            Ok(decoded) => decoded,
            // One packet is broken; those after it may not be.
            Err(why @ Error::DecodeError(_)) => {
                broken = Some(why);
                continue;
            }
            Err(why) => return Err(fault(why)),
        };
        if decoded.frames() == 0 {
            continue;
        }
        let planes = decoded.num_planes();
        if channels.is_empty() {
            rate = decoded.spec().rate();
            check_rate(rate)?;
            if planes == 0 || planes > MAX_CHANNELS {
                return Err(Fault::Channels(planes));
            }
            channels = vec![Vec::new(); planes];
        }
        if planes != channels.len() || decoded.spec().rate() != rate {
            let why = "its rate or its channels change on the way";
            return Err(Fault::Decode(why.into()));
        }
        let len = channels[0].len() + decoded.frames();
        if len as u64 > u64::from(rate) * MAX_SECONDS || len * planes > MAX_SAMPLES {
            return Err(Fault::TooLong);
        }
        decoded.copy_to_vecs_planar(&mut piece);
        for (channel, piece) in channels.iter_mut().zip(&piece) {
            channel
                .try_reserve(piece.len())
                .map_err(|_| Fault::Memory)?;
            channel.extend_from_slice(piece);
        }
    }
    match broken {
        Some(why) if channels.is_empty() => Err(fault(why)),
        _ if channels.is_empty() => Err(Fault::Empty),
        _ => Sound::new(rate, channels),
    }
}

fn fault(why: Error) -> Fault {
    Fault::Decode(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixture;

    /// How high a tone of 440 Hz stands in samples of 16 kHz.
    fn height(samples: &[f32]) -> f64 {
        let (mut sines, mut cosines) = (0.0, 0.0);
        for (at, sample) in samples.iter().enumerate() {
            let angle = std::f64::consts::TAU * 440.0 * at as f64 / 16_000.0;
            sines += f64::from(*sample) * angle.sin();
            cosines += f64::from(*sample) * angle.cos();
        }
        2.0 * sines.hypot(cosines) / samples.len() as f64
    }

    const FILES: [(&str, f64); 6] = [
        ("tone-8.wav", 0.005),
        ("tone-24.wav", 0.001),
        ("tone.flac", 0.001),
        ("tone.mp3", 0.05),
        ("tone.ogg", 0.05),
        // FFmpeg reads as much of it: its encoder is coarse where the tone begins.
        ("tone.m4a", 0.12),
    ];

    fn read(name: &str) -> Vec<u8> {
        std::fs::read(fixture(name)).unwrap()
    }

    #[test]
    fn files_of_each_kind_are_read() {
        for (name, within) in FILES {
            let sound = decode(read(name)).unwrap();
            assert_eq!(
                (sound.rate(), sound.channels().len()),
                (16_000, 2),
                "{name}"
            );
            // Codecs that lose something add some silence.
            let len = sound.len();
            assert!((1_900..=4_500).contains(&len), "{name}: {len}");
            // Eleven turns in the middle.
            for (channel, expected) in sound.channels().iter().zip([0.5, 0.25]) {
                let height = height(&channel[len / 2 - 200..len / 2 + 200]);
                assert!((height - expected).abs() < within, "{name}: {height}");
            }
        }
        let sound = decode(read("made.wav")).unwrap();
        let samples = crate::testing::wav(&fixture("made.wav")).0;
        assert_eq!(sound.channels(), [samples]);
    }

    #[test]
    fn what_is_no_sound_is_refused() {
        assert_eq!(decode([]), Err(Fault::Empty));
        for text in [
            &b"RIFF"[..],
            b"hello, this is a text and no sound",
            &[0; 4096],
        ] {
            assert!(decode(text).is_err());
        }
        // A WAV file of rate 0.
        let mut file = read("tone-24.wav");
        file[24..28].copy_from_slice(&[0; 4]);
        assert!(decode(file).is_err());
    }

    #[test]
    fn damaged_files_give_errors_or_sounds_and_no_panics() {
        let mut outcomes = [0, 0];
        for (name, _) in FILES {
            let file = read(name);
            for cut in (1..file.len()).step_by(file.len() / 40) {
                outcomes[usize::from(decode(&file[..cut]).is_ok())] += 1;
            }
            for seed in 0..150_usize {
                let mut damaged = file.clone();
                for nth in 0..=seed % 4 {
                    // Headers more often than what follows them.
                    let at = seed * 7_919 + nth * 104_729;
                    let at = if seed % 2 == 0 {
                        at % 128
                    } else {
                        at % file.len()
                    };
                    damaged[at] ^= 1 << (seed % 8);
                }
                outcomes[usize::from(decode(damaged).is_ok())] += 1;
            }
        }
        println!("{} refused, {} read", outcomes[0], outcomes[1]);
        assert!(outcomes[0] > 100 && outcomes[1] > 100);
    }
}
