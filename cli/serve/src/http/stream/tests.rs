use super::*;
use axum::http::header::CONTENT_ENCODING;
use http_body_util::BodyExt as _;
use std::io::Read as _;

async fn answered(count: usize, gzip: bool) -> (bool, Vec<u8>) {
    let answer = Answer::plain(vec!["label".to_owned(); count]);
    let response = respond("application/json", gzip, Arc::default(), move |parts| {
        parts.answer(&answer);
    });
    let response = response.await.unwrap();
    let compressed = response.headers().contains_key(CONTENT_ENCODING);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    if !compressed {
        return (false, body.to_vec());
    }
    let mut plain = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&body[..]);
    decoder.read_to_end(&mut plain).unwrap();
    (true, plain)
}

#[tokio::test]
async fn small_and_large_answers_arrive_whole() {
    for count in [0, 1, 1_000, 200_000] {
        let expected = Answer::plain(vec!["label".to_owned(); count]).to_json();
        for gzip in [false, true] {
            let (compressed, body) = answered(count, gzip).await;
            assert!(body == expected, "{count} {gzip}");
            assert_eq!(compressed, gzip && count > 1);
        }
    }
}

#[tokio::test]
async fn errors_and_panics_before_the_first_part_are_errors() {
    let refused = respond("application/json", false, Arc::default(), |parts| {
        parts.fail(ApiError::bad_data("no"));
    });
    assert_eq!(refused.await.unwrap_err().message, "no");
    let ended = respond("application/json", false, Arc::default(), |_parts| {
        panic!("on purpose")
    });
    assert_eq!(ended.await.unwrap_err().error_type.status(), 500);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_complete() {
    let broken = respond("application/json", false, Arc::default(), |mut parts| {
        parts.send(b"[1,".to_vec());
    });
    let body = broken.await.unwrap().into_body().collect().await;
    assert!(body.is_err());
}

#[tokio::test]
async fn an_answer_that_finds_no_room_is_not_taken_for_complete() {
    let backlog = Arc::new(Backlog::new(0, 0));
    let answer = Answer::plain(vec!["label".to_owned(); 200_000]);
    let (done, written) = tokio::sync::oneshot::channel();
    let response = respond("application/json", false, backlog, move |parts| {
        parts.answer(&answer);
        done.send(()).unwrap();
    });
    let response = response.await.unwrap();
    written.await.unwrap();
    assert!(response.into_body().collect().await.is_err());
}
