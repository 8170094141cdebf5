//! Running commands from the repository's root.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// A command that starts in the repository's root.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::root());
    command
}

/// The command, as it would be typed.
fn typed(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    words.join(" ")
}

/// Says what is run, runs it, and fails when it does.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", typed(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("`{}` did not start", typed(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", typed(command));
    }
    Ok(())
}

/// What a command prints, or nothing when it fails or does not exist.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// cargo, the one that started us.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// What happens one after the other, told to whoever waits for it.
pub struct Steps {
    all: usize,
    begun: usize,
    since: Option<Instant>,
    start: Instant,
}

impl Steps {
    /// So many of them.
    pub fn of(all: usize) -> Self {
        Steps {
            all,
            begun: 0,
            since: None,
            start: Instant::now(),
        }
    }

    /// Begins the next one: what it makes, and about how long that takes.
    pub fn begin(&mut self, what: &str, about: &str) {
        self.took();
        self.begun += 1;
        eprintln!("\n[{}/{}] {what} ({about})", self.begun, self.all);
        self.since = Some(Instant::now());
    }

    /// Ends the last one.
    pub fn end(&mut self) {
        self.took();
        eprintln!("\nReady after {}.", spoken(self.start));
    }

    fn took(&mut self) {
        if let Some(since) = self.since.take() {
            eprintln!("[{}/{}] took {}", self.begun, self.all, spoken(since));
        }
    }
}

/// How long ago that was.
pub fn spoken(since: Instant) -> String {
    let seconds = since.elapsed().as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}
