//! Serves the page alone, without any API: for looking at the pipeline. `cargo run -p orchestrator --example page -- 127.0.0.1:3999 /prefix`

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3999".to_owned());
    let prefix = arguments.next().unwrap_or_default();
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("http://{}{prefix}/", listener.local_addr()?);
    axum::serve(listener, orchestrator::api::web::router(&prefix)).await?;
    Ok(())
}
