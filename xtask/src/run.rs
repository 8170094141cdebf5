//! Running commands from the repository's root.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
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

/// How many of its last lines the error of a command repeats.
const LAST: usize = 60;

/// Says what is run, runs it, and fails when it does. What goes to a file, as in CI, is read at its end: there, the error repeats
/// the last lines of a command that failed.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", typed(command));
    command.stdin(Stdio::null());
    let mut last = String::new();
    let status = if std::io::stderr().is_terminal() {
        command.status()
    } else {
        remembered(command, &mut last)
    };
    let status = status.with_context(|| format!("`{}` did not start", typed(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})\n{last}", typed(command));
    }
    Ok(())
}

/// Runs a command, hands on what it prints as it comes, and keeps the last lines.
fn remembered(
    command: &mut Command,
    last: &mut String,
) -> std::io::Result<std::process::ExitStatus> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = Mutex::new(VecDeque::new());
    let hand_on = |from: &mut dyn Read, to: &mut dyn Write| {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            // Nobody may be reading any more; the command goes on all the same.
            let _ = to.write_all(&line).and_then(|()| to.flush());
            let mut lines = lines.lock().expect("nobody panics with the lines");
            if lines.len() == LAST {
                lines.pop_front();
            }
            lines.push_back(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
    };
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        if let Some(out) = &mut out {
            scope.spawn(|| hand_on(out, &mut std::io::stdout()));
        }
        if let Some(err) = &mut err {
            scope.spawn(|| hand_on(err, &mut std::io::stderr()));
        }
    });
    let lines = lines.into_inner().expect("nobody panics with the lines");
    *last = lines.into_iter().collect();
    child.wait()
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
