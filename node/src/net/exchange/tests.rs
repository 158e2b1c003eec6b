use super::*;
use futures::io::Cursor;

const NAME: StreamProtocol = StreamProtocol::new("/test");

fn codec() -> ByteCodec {
    ByteCodec {
        request_max: 4,
        response_max: 8,
    }
}

async fn request(bytes: &[u8]) -> io::Result<Frame> {
    codec().read_request(&NAME, &mut Cursor::new(bytes)).await
}

async fn response(bytes: &[u8]) -> io::Result<Frame> {
    codec().read_response(&NAME, &mut Cursor::new(bytes)).await
}

#[tokio::test]
async fn what_is_written_is_read() {
    for bytes in [vec![], vec![9], vec![1, 2, 3, 4]] {
        let mut wire = Cursor::new(Vec::new());
        codec()
            .write_request(&NAME, &mut wire, Ok(bytes.clone()))
            .await
            .unwrap();
        assert_eq!(request(wire.get_ref()).await.unwrap(), Ok(bytes.clone()));

        let mut wire = Cursor::new(Vec::new());
        codec()
            .write_response(&NAME, &mut wire, Ok(bytes.clone()))
            .await
            .unwrap();
        assert_eq!(response(wire.get_ref()).await.unwrap(), Ok(bytes));
    }
    let mut wire = Cursor::new(Vec::new());
    codec()
        .write_response(&NAME, &mut wire, Err(FrameError::Refused))
        .await
        .unwrap();
    assert_eq!(wire.get_ref(), &[REFUSAL]);
    assert_eq!(
        response(wire.get_ref()).await.unwrap(),
        Err(FrameError::Refused)
    );
}

#[tokio::test]
async fn the_limit_is_the_last_length_that_passes() {
    assert_eq!(
        request(&[0, 0, 0, 4, 1, 2, 3, 4]).await.unwrap(),
        Ok(vec![1, 2, 3, 4])
    );
    // Refused by the announcement alone: not one byte of content was there to read.
    let over = request(&[0, 0, 0, 5]).await.unwrap();
    assert_eq!(
        over,
        Err(FrameError::TooLarge {
            announced: 5,
            limit: 4
        })
    );
    let huge = response(&[ANSWER, 255, 255, 255, 255]).await.unwrap();
    assert_eq!(
        huge,
        Err(FrameError::TooLarge {
            announced: 0xffff_ffff,
            limit: 8
        })
    );
}

#[tokio::test]
async fn what_is_cut_short_is_no_frame() {
    for cut in [&[][..], &[0, 0, 0], &[0, 0, 0, 2, 1]] {
        assert_eq!(
            request(cut).await.unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
    assert_eq!(response(&[]).await.unwrap(), Err(FrameError::Refused));
    assert_eq!(response(&[7]).await.unwrap(), Err(FrameError::Status(7)));
    assert!(response(&[ANSWER]).await.is_err());
}
