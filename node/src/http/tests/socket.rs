//! The listener: over a real socket, as clients meet it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Stage;
use crate::http::serve;

/// Sends one request and reads until `end` has come, or the other end closes.
async fn exchange(stream: &mut TcpStream, request: &str, end: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk).await.unwrap() {
            0 => break,
            read => text.extend_from_slice(&chunk[..read]),
        }
        if String::from_utf8_lossy(&text).contains(end) {
            break;
        }
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn it_answers_until_it_is_told_to_stop_and_then_ends_its_streams() {
    let stage = Stage::new(1).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = stage.api().node.clone();
    let serving = tokio::spawn(serve(listener, state, stage.shutdown.clone()));
    let mut one = TcpStream::connect(address).await.unwrap();
    let request = "GET /v1/ledger HTTP/1.1\r\nhost: x\r\n\r\n";
    // The connection is kept for more requests.
    for _ in 0..2 {
        let answer = exchange(&mut one, request, "}").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(!answer.contains("access-control"), "{answer}");
    }
    // Who sends too much hears it, though the body was not kept.
    let mut large = TcpStream::connect(address).await.unwrap();
    let body = "x".repeat(13 << 20);
    let request = format!(
        "POST /v1/items HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(&mut large, &request, "}").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n";
    let head = exchange(&mut stream, request, "\r\n\r\n").await;
    assert!(head.contains("text/event-stream"), "{head}");
    stage.shutdown.cancel();
    assert!(serving.await.unwrap().is_ok());
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
