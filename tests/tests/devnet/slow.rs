//! Ten thousand connections that say nothing, stop in the middle, wait or do not read, to a node that others ask meanwhile. They
//! come from a few addresses, as one who attacks has them, and not from those of the others.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::program::{Devnet, text};

const CONNECTIONS: usize = 10_000;
const ADDRESSES: usize = 8;
/// How long who was closed stays away.
const AWAY: Duration = Duration::from_secs(4);

/// As many open files as this machine lets a process have.
fn open_files() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    limit
        .maximum
        .map_or(usize::MAX, |it| usize::try_from(it).unwrap())
}

/// What each of them sends before it says nothing more, and whether it reads.
fn slow(process: &str) -> Vec<(String, bool)> {
    let host = "host: x\r\n";
    let large = format!(
        "POST /v1/items HTTP/1.1\r\n{host}content-length: 12000000\r\n\r\n{}",
        "x".repeat(100_000)
    );
    vec![
        (String::new(), true),
        ("GET /v1/le".to_owned(), true),
        (format!("GET /v1/ledger HTTP/1.1\r\n{host}"), true),
        (
            format!("POST /mu HTTP/1.1\r\n{host}content-length: 1000\r\n\r\nx"),
            true,
        ),
        (large, true),
        (
            format!("GET /v1/processes/{process}/slots/999/result?wait=30 HTTP/1.1\r\n{host}\r\n"),
            true,
        ),
        (
            format!("GET /v1/openapi.json HTTP/1.1\r\n{host}\r\n").repeat(100),
            false,
        ),
        (format!("GET /v1/events HTTP/1.1\r\n{host}\r\n"), false),
    ]
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

/// Opens a connection again and again.
async fn come(
    from: Ipv4Addr,
    to: SocketAddr,
    (says, reads): (String, bool),
    open: Arc<AtomicUsize>,
) {
    loop {
        if let Ok(mut stream) = connect(from, to).await {
            open.fetch_add(1, Ordering::Relaxed);
            // Whether it still listens is its matter.
            let _ = stream.write_all(says.as_bytes()).await;
            let mut chunk = [0; 1024];
            if reads {
                while matches!(stream.read(&mut chunk).await, Ok(1..)) {}
            } else {
                let _ = stream.readable().await;
                tokio::time::sleep(AWAY).await;
            }
        }
        tokio::time::sleep(AWAY).await;
    }
}

#[test]
fn ten_thousand_slow_connections_are_in_nobodys_way() {
    let files = open_files();
    assert!(files > 2 * 1024, "{files} open files are too few for this");
    let count = CONNECTIONS.min(files - 1024);
    let devnet = Devnet::start(&["--nodes", "4"]);
    let process = devnet.spawn();
    let http = text(devnet.ready(), "http").replace("http://", "");
    let http: SocketAddr = http.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let open = Arc::new(AtomicUsize::new(0));
    let mut slow_ones = JoinSet::new();
    for (index, one) in slow(&process).into_iter().cycle().take(count).enumerate() {
        let from = u8::try_from(index / 8 % ADDRESSES).unwrap();
        let from = Ipv4Addr::new(127, 0, 1, from + 1);
        slow_ones.spawn_on(come(from, http, one, Arc::clone(&open)), runtime.handle());
    }
    let mut last = 0;
    let mut sends = 0;
    while open.load(Ordering::Relaxed) < count || sends < 20 {
        let sent = devnet.run(&["process", "send", &process, "--data", &sends.to_string()]);
        assert_eq!(sent.code, 0, "{}{}", sent.stdout, sent.stderr);
        last = sent.data()["slot"].as_u64().unwrap();
        let slot = last.to_string();
        let result = devnet.run(&["process", "result", &process, &slot, "--wait", "30"]);
        assert_eq!(result.code, 0, "{}{}", result.stdout, result.stderr);
        sends += 1;
    }
    devnet.certified(&process, last + 1);
    drop(slow_ones);
    assert!(devnet.stop()["slashings"].as_array().unwrap().is_empty());
}
