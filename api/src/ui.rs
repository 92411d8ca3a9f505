//! The web interface: its files, built in or on disk, and its one page for every address that is none of ours.

use std::{
    borrow::Cow,
    path::{Component, Path, PathBuf},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::{
    Method, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue,
        VARY,
    },
};

/// The page behind every address of the interface.
const PAGE: &str = "index.html";

/// Files whose names change with what they hold.
const HASHED: &str = "assets/";

/// What is served where no interface was built in.
const ABSENT: &str = include_str!("ui/absent.html");

struct File {
    path: &'static str,
    bytes: &'static [u8],
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/ui.rs"));

/// Where the interface is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ui {
    /// In the binary, if it was built with one.
    #[default]
    BuiltIn,
    /// In a directory, for whoever works on it.
    Directory(PathBuf),
}

impl Ui {
    /// Answers a request for a page or a file; `None` where neither is meant.
    pub(crate) async fn answer(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response<Body>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let name = path.trim_start_matches('/');
        let is_page = !name.rsplit('/').next().unwrap_or_default().contains('.');
        let name = if is_page { PAGE } else { name };
        let packed = accepts_gzip(headers);
        let found = match self {
            Self::BuiltIn => built_in(name, packed),
            Self::Directory(directory) => on_disk(directory, name).await,
        };
        let (bytes, gzip) = match found {
            Some(found) => found,
            None if is_page => (Cow::Borrowed(ABSENT.as_bytes()), false),
            None => return None,
        };
        Some(response(name, bytes, gzip))
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING);
    accepted.is_some_and(|value| value.to_str().is_ok_and(|text| text.contains("gzip")))
}

type Found = (Cow<'static, [u8]>, bool);

fn built_in(name: &str, packed: bool) -> Option<Found> {
    let file = FILES.iter().find(|file| file.path == name)?;
    Some(match file.gzip.filter(|_| packed) {
        Some(gzip) => (Cow::Borrowed(gzip), true),
        None => (Cow::Borrowed(file.bytes), false),
    })
}

async fn on_disk(directory: &Path, name: &str) -> Option<Found> {
    let name = Path::new(name);
    // Nothing outside the directory is served.
    let inside = name
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !inside {
        return None;
    }
    let bytes = tokio::fs::read(directory.join(name)).await.ok()?;
    Some((Cow::Owned(bytes), false))
}

fn response(name: &str, bytes: Cow<'static, [u8]>, gzip: bool) -> Response<Body> {
    let bytes = match bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::OK;
    let cache = if name.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(ui: &Ui, path: &str) -> Option<(HeaderMap, Bytes)> {
        let response = ui.answer(&Method::GET, path, &HeaderMap::new()).await?;
        let headers = response.headers().clone();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await;
        Some((headers, body.unwrap()))
    }

    #[tokio::test]
    async fn pages_are_one_page_and_files_are_files() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("assets")).unwrap();
        std::fs::write(directory.path().join(PAGE), "page").unwrap();
        std::fs::write(directory.path().join("assets/a-1.js"), "code").unwrap();
        let ui = Ui::Directory(directory.path().to_owned());
        for path in ["/", "/workflows", "/workflows/a%20b"] {
            let (headers, body) = get(&ui, path).await.unwrap();
            assert_eq!(
                (&body[..], &headers[CACHE_CONTROL]),
                (&b"page"[..], &HeaderValue::from_static("no-cache")),
                "{path}"
            );
        }
        let (headers, body) = get(&ui, "/assets/a-1.js").await.unwrap();
        assert_eq!(&body[..], b"code");
        assert_eq!(headers[CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert!(
            headers[CACHE_CONTROL]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        assert!(get(&ui, "/assets/b.js").await.is_none());
        assert!(
            ui.answer(&Method::POST, "/", &HeaderMap::new())
                .await
                .is_none()
        );
    }

    #[tokio::test]
    async fn nothing_outside_the_directory_is_served() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("dist")).unwrap();
        std::fs::write(directory.path().join("secret.txt"), "secret").unwrap();
        let ui = Ui::Directory(directory.path().join("dist"));
        for path in [
            "/../secret.txt",
            "/..%2fsecret.txt",
            "//etc/ld.so.conf",
            "/./../secret.txt",
        ] {
            assert!(get(&ui, path).await.is_none(), "{path}");
        }
    }

    #[tokio::test]
    async fn an_interface_that_was_not_built_says_so() {
        let ui = Ui::Directory("/nowhere".into());
        let (headers, body) = get(&ui, "/workflows").await.unwrap();
        assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(String::from_utf8_lossy(&body).contains("make ui"));
    }
}
