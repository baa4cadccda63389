//! Frames and regions over real sockets.

use std::future::poll_fn;
use std::io::IoSlice;
use std::net::SocketAddr;

use ottla_disk::OsDisk;
use ottla_env::{Disk, OpenMode, run_local};
use ottla_net::{
    FileRegion, FrameBudget, FrameReader, OutQueue, ReadError, SocketOptions, Taken, bind,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const OPTIONS: SocketOptions = SocketOptions {
    backlog: 50,
    send_buffer: Some(32 * 1024),
    receive_buffer: None,
};

async fn pair() -> (TcpStream, TcpStream) {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), OPTIONS).expect("a port");
    let listener = TcpListener::from_std(listener).expect("a runtime");
    let address = listener.local_addr().expect("bound");
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.expect("connected"), server.expect("accepted").0)
}

/// Reads frames until the peer closes.
async fn read_all(stream: &TcpStream, max: usize) -> (Vec<Vec<u8>>, ReadError) {
    let mut reader = FrameReader::new(max, &FrameBudget::new(usize::MAX));
    let mut frames = Vec::new();
    loop {
        let mut on_frame = |frame: &[u8]| {
            frames.push(frame.to_vec());
            Taken::Next
        };
        if let Err(end) = poll_fn(|cx| reader.poll_read(cx, stream, &mut on_frame)).await {
            return (frames, end);
        }
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len())
        .expect("short")
        .to_be_bytes()
        .to_vec();
    frame.extend_from_slice(body);
    frame
}

#[test]
fn frames_survive_any_chunking() {
    let lengths = [1_usize, 3, 700_000, 2, 300_000, 9];
    let bodies: Vec<Vec<u8>> = lengths
        .iter()
        .map(|len| vec![len.to_le_bytes()[0]; *len])
        .collect();
    let bytes: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
    for chunk in [1_usize, 3, 5, 4096, 1 << 20] {
        let (bodies, bytes) = (&bodies, &bytes);
        // Byte by byte is for the small frames only.
        let (bodies, bytes) = if chunk < 100 {
            (&bodies[..2], &bytes[..12])
        } else {
            (&bodies[..], &bytes[..])
        };
        let (frames, end) = run_local(async {
            let (mut client, server) = pair().await;
            client.set_nodelay(true).expect("a socket");
            let send = async {
                for chunk in bytes.chunks(chunk) {
                    client.write_all(chunk).await.expect("the server reads");
                }
                client.shutdown().await.expect("open");
            };
            tokio::join!(send, read_all(&server, 1 << 20)).1
        })
        .expect("a runtime");
        assert_eq!(frames, bodies, "chunks of {chunk}");
        assert!(matches!(end, ReadError::Closed(false)), "{end}");
    }
}

#[test]
fn hostile_beginnings_end_the_connection() {
    let check = |bytes: &'static [u8]| {
        run_local(async {
            let (mut client, server) = pair().await;
            client.write_all(bytes).await.expect("open");
            client.shutdown().await.expect("open");
            read_all(&server, 100 << 20).await
        })
        .expect("a runtime")
    };
    assert!(matches!(check(&[0, 0, 0, 0]).1, ReadError::NotPositive(0)));
    assert!(matches!(check(&[0xff; 8]).1, ReadError::NotPositive(-1)));
    assert!(matches!(
        check(b"GET / HTTP/1.1\r\n\r\n").1,
        ReadError::TooLarge { .. }
    ));
    assert!(matches!(
        check(&[0x16, 3, 1, 2, 0, 1]).1,
        ReadError::TooLarge { .. }
    ));
    assert!(matches!(check(&[0, 0, 1, 0, 5]).1, ReadError::Closed(true)));
    let (frames, end) = check(&[0, 0, 0, 1, 7, 0xff, 0, 0, 0]);
    assert_eq!(frames, [[7]]);
    assert!(matches!(end, ReadError::NotPositive(_)));
}

#[test]
fn bytes_and_regions_leave_in_order() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = OsDisk
        .open(&folder.path().join("segment"), OpenMode::Create)
        .expect("a file");
    let content: Vec<u8> = (0..1_000_000_u32)
        .map(|index| index.to_le_bytes()[1])
        .collect();
    file.write_all_at(&[IoSlice::new(&content)], 0)
        .expect("room");
    let received = run_local(async {
        let (mut client, server) = pair().await;
        let mut out = OutQueue::default();
        out.bytes_mut().extend_from_slice(b"head");
        let region = |position, len| FileRegion {
            file: file.clone(),
            position,
            len,
        };
        out.place_region(4, region(10, 900_000));
        out.place_region(4, region(5, 2));
        out.bytes_mut().extend_from_slice(b"tail");
        assert_eq!(out.queued_bytes(), 8 + 900_000 + 2);
        let send = async {
            poll_fn(|cx| out.poll_flush(cx, &server))
                .await
                .expect("the client reads");
            assert!(out.is_empty());
            drop(server);
        };
        let mut received = Vec::new();
        let (_, read) = tokio::join!(send, client.read_to_end(&mut received));
        read.expect("closed in good order");
        received
    })
    .expect("a runtime");
    let expected = [b"head", &content[10..900_010], &content[5..7], b"tail"].concat();
    assert!(received == expected, "{} bytes", received.len());
}

#[test]
fn file_that_was_cut_ends_the_connection() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = OsDisk
        .open(&folder.path().join("segment"), OpenMode::Create)
        .expect("a file");
    file.set_len(10).expect("room");
    let error = run_local(async {
        let (_client, server) = pair().await;
        let mut out = OutQueue::default();
        out.place_region(
            0,
            FileRegion {
                file,
                position: 0,
                len: 11,
            },
        );
        poll_fn(|cx| out.poll_flush(cx, &server)).await
    });
    let error = error.expect("a runtime").expect_err("one byte is missing");
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}
