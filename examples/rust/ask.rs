//! Opens the bundle in a folder and asks it in which language a text is, without a network.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use smallfirst::bundle::{Bundle, FileEntry, Source, verify};
use smallfirst::host::Clock;
use smallfirst::remote::{OfflineHost, RemoteOptions};
use smallfirst::route::Mode;
use smallfirst::runtime::{Call, Runtime};
use smallfirst::task::{Answer, Input};
use smallfirst::{Code, Error, Result};

/// Where the bundle's files are. The crate itself reads none.
struct Folder(PathBuf);

impl Folder {
    fn file(&self, path: &str) -> Result<Vec<u8>> {
        std::fs::read(self.0.join(path))
            .map_err(|e| Error::new(Code::FileMissing, format!("{path}: {e}")))
    }
}

impl Source for Folder {
    async fn read(&self, path: &str, entry: &FileEntry) -> Result<Vec<u8>> {
        let bytes = self.file(path)?;
        verify(path, entry, &bytes)?;
        Ok(bytes)
    }
}

/// The time since it was made, and the wall's.
struct SystemClock(Instant);

impl Clock for SystemClock {
    fn now_ms(&self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1000.0
    }

    fn wall_ms(&self) -> f64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0.0, |since| since.as_secs_f64() * 1000.0)
    }

    /// Monitors of live inputs draw it. One call needs no randomness; a service should take a generator's.
    fn uniform(&self) -> f64 {
        0.5
    }
}

fn ask(folder: PathBuf, text: &str) -> Result<Answer> {
    let folder = Folder(folder);
    let bundle = Bundle::parse(&folder.file("manifest.json")?)?;
    let runtime = Runtime::new(bundle, folder, Mode::OnlyLocal, RemoteOptions::default())?;
    let call = Call {
        risk: Some(0.05),
        ..Call::new("language", Input::Text(text))
    };
    // `OfflineHost` has no network, so nothing can be sent. Any executor will do.
    pollster::block_on(runtime.run(&call, &OfflineHost(SystemClock(Instant::now()))))
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let [_, folder, text] = &words[..] else {
        eprintln!("usage: ask <folder with manifest.json> <text>");
        return ExitCode::FAILURE;
    };
    match ask(folder.into(), text) {
        Ok(answer) => {
            println!("{}: {:?}", answer.output.label, answer.reason);
            println!("guaranteed: {}", answer.guaranteed);
            println!("{}", answer.explanation);
            ExitCode::SUCCESS
        }
        // The code is stable; the message says what to do.
        Err(error) => {
            eprintln!("{}: {error}", error.code().as_str());
            ExitCode::FAILURE
        }
    }
}
