//! Ten thousand clients that say nothing, stop in the middle, wait or do not read, and come again when they are closed, to a node
//! that others ask meanwhile. They come from a few addresses, as one who attacks has them, and not from those of the others.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::program::{Devnet, text};

const CLIENTS: usize = 10_000;
const ADDRESSES: usize = 8;
/// How long who was closed stays away.
const AWAY: Duration = Duration::from_secs(4);
/// How long all of them may take to come for the first time.
const PATIENCE: Duration = Duration::from_secs(180);
/// Messages that others send meanwhile, and ask for the results of.
const CALLS: usize = 20;

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

/// Opens a connection again and again; `here` counts who has done so.
async fn come(
    from: Ipv4Addr,
    to: SocketAddr,
    (says, reads): (String, bool),
    here: Arc<AtomicUsize>,
) {
    let mut first = true;
    loop {
        if let Ok(mut stream) = connect(from, to).await {
            here.fetch_add(usize::from(first), Ordering::Relaxed);
            first = false;
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

/// Sends a message and asks for its result, with the program and so with its time-outs; gives the slot.
fn call(devnet: &Devnet, process: &str, data: &str) -> u64 {
    let sent = devnet.run(&["process", "send", process, "--data", data]);
    assert_eq!(sent.code, 0, "{}{}", sent.stdout, sent.stderr);
    let slot = sent.data()["slot"].as_u64().unwrap();
    let number = slot.to_string();
    let result = devnet.run(&["process", "result", process, &number, "--wait", "30"]);
    assert_eq!(result.code, 0, "{}{}", result.stdout, result.stderr);
    slot
}

#[test]
fn ten_thousand_slow_clients_are_in_nobodys_way() {
    // A client that was closed holds none, and the node closes all but so many.
    let files = open_files();
    assert!(files > CLIENTS, "{files} open files are too few for this");
    let devnet = Devnet::start(&["--nodes", "4"]);
    let process = devnet.spawn();
    let http = text(devnet.ready(), "http").replace("http://", "");
    let http: SocketAddr = http.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let here = Arc::new(AtomicUsize::new(0));
    let mut slow_ones = JoinSet::new();
    let ways = slow(&process).into_iter().cycle();
    for (index, one) in ways.take(CLIENTS).enumerate() {
        let from = u8::try_from(index / 8 % ADDRESSES).unwrap();
        let from = Ipv4Addr::new(127, 0, 1, from + 1);
        slow_ones.spawn_on(come(from, http, one, Arc::clone(&here)), runtime.handle());
    }
    let begin = Instant::now();
    while here.load(Ordering::Relaxed) < CLIENTS {
        let came = here.load(Ordering::Relaxed);
        assert!(begin.elapsed() < PATIENCE, "only {came} came");
        call(&devnet, &process, "while they come");
    }
    let mut last = 0;
    let mut taken: Vec<Duration> = Vec::new();
    for number in 0..CALLS {
        let begin = Instant::now();
        last = call(&devnet, &process, &format!("call {number}"));
        taken.push(begin.elapsed());
    }
    taken.sort();
    let p99 = taken[CALLS * 99 / 100];
    eprintln!("{CLIENTS} slow clients; of {CALLS} calls 99 in 100 within {p99:?}");
    devnet.certified(&process, last + 1);
    drop(slow_ones);
    assert!(devnet.stop()["slashings"].as_array().unwrap().is_empty());
}
