//! The program itself.

use std::process::{Command, Output};

use crate::edge::{Edge, OPEN};
use crate::support::serve;

/// Runs the program with these words and nothing but this variable.
async fn run(words: &'static [&'static str], api: String) -> Output {
    tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_orchestrator-client"))
            .args(words)
            .env_clear()
            .env("ORCHESTRATOR_API", api)
            .output()
            .expect("the program runs")
    })
    .await
    .expect("it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_prints_to_the_right_places_and_ends_with_the_right_code() {
    let edge = Edge::new(OPEN).await;
    let url = serve(edge.router()).await;
    let output = run(&["-c", "clusters"], url.clone()).await;
    let stdout = String::from_utf8(output.stdout).expect("text");
    assert_eq!((stdout.as_str(), output.status.code()), ("db1.example:3306\nus1.example:3306\n", Some(0)));
    assert!(output.stderr.is_empty());

    let output = run(&["-c", "nosuch"], url).await;
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!((output.stdout.as_slice(), output.status.code()), (&b""[..], Some(1)));
    assert!(stderr.starts_with("orchestrator-client[") && stderr.contains("]: unknown command \"nosuch\""), "{stderr}");
}
