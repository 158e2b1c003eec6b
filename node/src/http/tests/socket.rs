//! The listener: over a real socket, as clients meet it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Stage;
use super::items::LARGE;
use crate::http::doors::CONNECTIONS_MAX;
use crate::http::{Allowance, ApiState, REQUESTS_MAX, serve};

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

/// Serves a stage on a socket.
async fn served(
    stage: &Stage,
) -> (
    SocketAddr,
    tokio::task::JoinHandle<Result<(), std::io::Error>>,
) {
    served_to(stage, Allowance::default()).await
}

/// The same to clients that are allowed this.
async fn served_to(
    stage: &Stage,
    allowance: Allowance,
) -> (
    SocketAddr,
    tokio::task::JoinHandle<Result<(), std::io::Error>>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = ApiState {
        allowance,
        ..stage.api().node.clone()
    };
    let serving = tokio::spawn(serve(listener, state, stage.shutdown.clone()));
    (address, serving)
}

#[tokio::test]
async fn it_answers_until_it_is_told_to_stop_and_then_ends_its_streams() {
    let stage = Stage::new(1).await;
    let (address, serving) = served(&stage).await;
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

#[tokio::test]
async fn who_says_nothing_gives_way_to_who_asks() {
    let stage = Stage::new(1).await;
    let (address, serving) = served(&stage).await;
    // A request that waits gives way after those that say nothing.
    let process = stage.process_id();
    let mut waits = TcpStream::connect(address).await.unwrap();
    let slow =
        format!("GET /v1/processes/{process}/slots/1/result?wait=20 HTTP/1.1\r\nhost: x\r\n\r\n");
    waits.write_all(slow.as_bytes()).await.unwrap();
    let mut silent = Vec::new();
    for count in 0..3 * CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Half of them begin a request and do not end it.
        if count % 2 == 0 {
            stream.write_all(b"GET /v1/le").await.unwrap();
        }
        silent.push(stream);
        if count % 512 == 0 {
            is_answered(address).await;
        }
    }
    let mut closed = [0; 16];
    let first = silent[0].read(&mut closed).await;
    assert!(matches!(first, Ok(0) | Err(_)), "the first is still open");
    stage.show(2, 1);
    stage.shutdown.cancel();
    let mut answer = Vec::new();
    waits.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(serving.await.unwrap().is_ok());
}

/// Somebody new asks, and hears.
async fn is_answered(address: SocketAddr) {
    let mut honest = TcpStream::connect(address).await.unwrap();
    let request = "GET /v1/ledger HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = exchange(&mut honest, request, "}").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// More than may be under way at once begin a request, and an honest client is answered.
async fn in_nobodys_way(slow: impl Fn(&Stage) -> String) {
    let stage = Stage::new(1).await;
    let (address, serving) = served(&stage).await;
    let mut slow_ones = Vec::new();
    for _ in 0..2 * REQUESTS_MAX {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = slow(&stage);
        stream.write_all(request.as_bytes()).await.unwrap();
        slow_ones.push(stream);
    }
    for _ in 0..8 {
        // Whatever waits looks again.
        stage.show(1, 1);
        is_answered(address).await;
    }
    stage.shutdown.cancel();
    assert!(serving.await.unwrap().is_ok());
}

#[tokio::test]
async fn bodies_that_do_not_come_are_in_nobodys_way() {
    let head = "POST /v1/items HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nx";
    in_nobodys_way(|_| head.to_owned()).await;
}

#[tokio::test]
async fn requests_that_wait_are_in_nobodys_way() {
    let slow = |stage: &Stage| {
        let process = stage.process_id();
        format!("GET /v1/processes/{process}/slots/1/result?wait=30 HTTP/1.1\r\nhost: x\r\n\r\n")
    };
    in_nobodys_way(slow).await;
}

#[tokio::test]
async fn large_bodies_that_do_not_come_make_room_for_those_that_do() {
    let stage = Stage::new(1).await;
    let (address, serving) = served(&stage).await;
    let head = "POST /v1/items HTTP/1.1\r\nhost: x\r\ncontent-length: 12000000\r\n\r\n";
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(head.as_bytes()).await.unwrap();
    let body = "x".repeat(12_000_000);
    for _ in 0..3 {
        let mut honest = TcpStream::connect(address).await.unwrap();
        let answer = exchange(&mut honest, &format!("{head}{body}"), "}").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    // The first of them found no room but that of the slow one.
    let mut answer = Vec::new();
    let closed = slow.read_to_end(&mut answer).await;
    assert!(closed.is_err() || answer.starts_with(b"HTTP/1.1 400"));
    stage.shutdown.cancel();
    assert!(serving.await.unwrap().is_ok());
}

#[tokio::test]
async fn answers_that_are_not_read_make_room_for_those_that_are() {
    let stage = Stage::new(1).await;
    let large = super::items::large(&stage);
    let (address, serving) = served(&stage).await;
    let request = format!("GET /v1/items/{large} HTTP/1.1\r\nhost: x\r\n\r\n");
    // More than all the room, and nobody reads them.
    let mut unread = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.readable().await.unwrap();
        unread.push(stream);
    }
    let mut honest = TcpStream::connect(address).await.unwrap();
    honest.write_all(request.as_bytes()).await.unwrap();
    let mut read = 0;
    let mut chunk = vec![0; 1 << 20];
    while read < LARGE {
        let more = honest.read(&mut chunk).await.unwrap();
        assert!(more > 0, "{read} bytes came");
        read += more;
    }
    // The first was closed before it was read to its end.
    let mut rest = 0;
    while let Ok(more @ 1..) = unread[0].read(&mut chunk).await {
        rest += more;
    }
    assert!(rest < LARGE, "nobody gave way");
    stage.shutdown.cancel();
    assert!(serving.await.unwrap().is_ok());
}

#[tokio::test]
async fn who_makes_the_node_execute_too_often_is_refused() {
    let stage = Stage::new(2).await;
    let allowance = Allowance {
        rate: None,
        proxied: true,
    };
    let (address, serving) = served_to(&stage, allowance).await;
    let process = stage.process_id();
    // What is refused for what it says is counted too.
    let long = "x".repeat(65);
    let native = (
        format!("/v1/processes/{process}/dry-run"),
        format!(r#"{{"owner":"{long}"}}"#),
    );
    let legacy = (
        format!("/cu/dry-run?process-id={process}"),
        format!(r#"{{"Owner":"{long}"}}"#),
    );
    let ask = async |stream: &mut TcpStream, client: &str, (path, body): &(String, String)| {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {client}\r\n\
            content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(stream, &request, "}").await;
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    for question in [&native, &legacy] {
        let mut told = Vec::new();
        for _ in 0..200 {
            told.push(ask(&mut stream, "192.0.2.1", question).await);
        }
        assert!(told.contains(&"429".to_owned()));
        // Another client, and one on this machine whom the proxy names.
        for client in ["192.0.2.2", "127.0.0.1"] {
            assert_eq!(ask(&mut stream, client, question).await, "400");
        }
    }
    stage.shutdown.cancel();
    assert!(serving.await.unwrap().is_ok());
}
