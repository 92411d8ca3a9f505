use super::*;

fn forwarded() -> Forwarded {
    Forwarded {
        protocol: PushProtocol::Grpc,
        path: "a".to_owned(),
        method: "POST".to_owned(),
        query: "q".to_owned(),
        headers: vec![("h".to_owned(), Bytes::from_static(b"\xff"))],
        body: Bytes::from_static(b"hi"),
        deadline_ms: 300,
    }
}

/// Nodes of two versions talk to each other: the bytes stay.
#[test]
fn the_form_between_nodes_stays() {
    let bytes = postcard::to_stdvec(&forwarded()).unwrap();
    let expected = [
        &[2, 1, b'a', 4][..],
        b"POST",
        &[1, b'q', 1, 1, b'h', 1, 0xff, 2, b'h', b'i', 0xac, 2],
    ]
    .concat();
    assert_eq!(bytes, expected);
    assert_eq!(
        postcard::from_bytes::<Forwarded>(&bytes).unwrap(),
        forwarded()
    );
    let numbers = [
        PushProtocol::Webhook,
        PushProtocol::Graphql,
        PushProtocol::Grpc,
    ];
    for (number, protocol) in numbers.into_iter().enumerate() {
        let request = Forwarded {
            protocol,
            ..forwarded()
        };
        assert_eq!(
            usize::from(postcard::to_stdvec(&request).unwrap()[0]),
            number
        );
    }

    let answer = ForwardedAnswer {
        status: 503,
        headers: vec![("retry-after".to_owned(), Bytes::from_static(b"1"))],
        body: Bytes::from_static(b"{}"),
    };
    let bytes = postcard::to_stdvec(&answer).unwrap();
    let expected = [
        &[0xf7, 3, 1, 11][..],
        b"retry-after",
        &[1, b'1', 2, b'{', b'}'],
    ]
    .concat();
    assert_eq!(bytes, expected);
    assert_eq!(
        postcard::from_bytes::<ForwardedAnswer>(&bytes).unwrap(),
        answer
    );
}

#[test]
fn i10_nothing_that_is_secret_shows_in_debug() {
    let mut request = forwarded();
    request.headers = vec![("x-api-key".to_owned(), Bytes::from_static(b"hunter2"))];
    request.body = Bytes::from_static(b"hunter2");
    assert!(!format!("{request:?}").contains("hunter2"));
}

#[test]
fn headers_of_the_connection_stay_behind_and_all_others_travel() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "x"),
        ("authorization", "Bearer k"),
        ("x-hub-signature-256", "sha256=00"),
        ("connection", "keep-alive, X-Mine"),
        ("x-mine", "1"),
        ("transfer-encoding", "chunked"),
        ("content-length", "3"),
        ("te", "trailers"),
        ("cookie", "a=1"),
    ] {
        headers.append(HeaderName::from_static(name), value.parse().unwrap());
    }
    headers.append("cookie", "b=2".parse().unwrap());
    let sent = carried(&headers);
    let names: Vec<_> = sent.iter().map(|(name, _)| &**name).collect();
    let expected = [
        "host",
        "authorization",
        "x-hub-signature-256",
        "cookie",
        "cookie",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        super::headers(sent)
            .unwrap()
            .get_all("cookie")
            .iter()
            .count(),
        2
    );
    assert!(super::headers(vec![("a b".to_owned(), Bytes::new())]).is_none());
}

#[test]
fn an_answer_that_cannot_be_one_is_no_success() {
    for status in [0, 100, 200, 204, 302, 404, 503, 1000] {
        let answer = ForwardedAnswer {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        };
        let understood = matches!(status, 200 | 404 | 503);
        assert_eq!(answer.into_response().is_some(), understood, "{status}");
    }
}
