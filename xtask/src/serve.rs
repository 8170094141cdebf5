//! The demo: the site, and a small LLM behind its proxy.

use anyhow::Result;

use crate::llm::{self, Server};
use crate::run::command;
use crate::tools;

/// Serves the demo until it is interrupted.
pub fn demo(port: u16, no_llm: bool) -> Result<()> {
    tools::node()?;
    let remote = if no_llm {
        None
    } else {
        match llm::start() {
            Ok(server) => Some(server),
            Err(error) => {
                println!(
                    "No LLM for the fallback ({error:#}); the demo answers on the device alone."
                );
                None
            }
        }
    };
    let mut server = command("node");
    server.args([
        "www/server.mjs",
        "--root",
        "www/dist",
        "--watch-stdin",
        "--port",
        &port.to_string(),
    ]);
    if let Some(remote) = &remote {
        server.args(["--llm", &remote.address, "--llm-model", llm::MODEL]);
    }
    let mut site = Server::start(&mut server)?;
    println!("The demo is at {} (stop it with Ctrl-C)", site.address);
    site.wait()
}
