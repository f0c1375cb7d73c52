//! Downloads: resuming, servers that will not, and what is said without a network.

use super::run::{Room, clip, sha256};
use super::server::{Reply, Server};

const NAME: &str = "store_as = \"a.yuv\"\n";

fn ranges(server: &Server) -> Vec<String> {
    server
        .ranges()
        .into_iter()
        .map(|r| r.unwrap_or_default())
        .collect()
}

#[test]
fn a_file_is_fetched_once_and_recorded() {
    let server = Server::start(|r, _| Reply::range(&clip(), r));
    let room = Room::new();
    room.clip(&format!("{NAME}url = \"{}\"", server.url("x/a.yuv?b=1")));
    let path = room.path("store/my/a.yuv");
    let done = room.nvc("datasets fetch MY/A").expect(0).says(&[
        "288 bytes",
        &sha256(&clip()),
        "recorded now",
    ]);
    assert_eq!(done.stdout, format!("{}\n", path.display()));
    assert_eq!(room.read("my/a.yuv"), clip());
    assert_eq!(room.stored("my"), ["a.yuv", "a.yuv.sha256"]);
    assert_eq!(room.stored("downloads"), [""; 0]);
    assert_eq!(
        String::from_utf8(room.read("my/a.yuv.sha256")).unwrap(),
        format!("{}  a.yuv\n", sha256(&clip()))
    );
    room.nvc("datasets fetch my").expect(0).says(&["is there"]);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.requests()[0].target, "/x/a.yuv?b=1");
}

#[test]
fn a_broken_connection_is_continued() {
    let server = Server::start(|r, n| {
        let reply = Reply::range(&clip(), r).with("ETag", "\"one\"");
        if n < 2 { reply.cut(100) } else { reply }
    });
    let room = Room::new();
    room.clip(&format!("{NAME}url = \"{}\"", server.url("a.yuv")));
    room.nvc("datasets fetch my/a").expect(0).says(&[
        "after 100",
        "going on after 100 bytes",
        "going on after 200 bytes",
    ]);
    assert_eq!(room.read("my/a.yuv"), clip());
    assert_eq!(ranges(&server), ["", "bytes=100-", "bytes=200-"]);
    assert!(
        server.requests()[1..]
            .iter()
            .all(|r| r.if_range.as_deref() == Some("\"one\""))
    );
}

#[test]
fn a_later_run_continues_too() {
    let server = Server::start(|r, n| match n {
        0 => Reply::range(&clip(), r)
            .with("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            .cut(150),
        1 => Reply::new("404 Not Found", b"away"),
        _ => Reply::range(&clip(), r),
    });
    let room = Room::new();
    room.clip(&format!("{NAME}url = \"{}\"", server.url("a.yuv")));
    let host = format!("127.0.0.1:{}", server.port);
    room.nvc("datasets fetch my/a")
        .expect(3)
        .says(&["404", &host, "By hand"]);
    let kept = room.stored("downloads");
    assert!(
        kept.len() == 2 && kept[0].ends_with("a.yuv.part"),
        "{kept:?}"
    );
    assert_eq!(room.read(&format!("downloads/{}", kept[0])), clip()[..150]);
    assert_eq!(room.stored("my"), [""; 0]);
    room.nvc("datasets fetch my/a")
        .expect(0)
        .says(&["going on after 150 bytes"]);
    assert_eq!(room.read("my/a.yuv"), clip());
    assert_eq!(ranges(&server), ["", "bytes=150-", "bytes=150-"]);
    assert_eq!(
        server.requests()[2].if_range.as_deref(),
        Some("Mon, 01 Jan 2024 00:00:00 GMT")
    );
    assert_eq!(room.stored("downloads"), [""; 0]);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let server = Server::start(|_, n| {
        let reply = Reply::new("200 OK", &clip()).with("ETag", "\"one\"");
        if n == 0 { reply.cut(100) } else { reply }
    });
    let room = Room::new();
    room.clip(&format!("{NAME}url = \"{}\"", server.url("a.yuv")));
    room.nvc("datasets fetch my/a")
        .expect(0)
        .says(&["starting over", "100 bytes"]);
    assert_eq!(room.read("my/a.yuv"), clip());
    assert_eq!(ranges(&server), ["", "bytes=100-"]);
}

#[test]
fn a_changed_file_is_never_mixed_with_the_old_one() {
    let old: Vec<u8> = clip().iter().map(|b| b ^ 0x55).collect();
    // honours If-Range: another tag, so all of the new file
    let server = Server::start(move |r, n| match n {
        0 => Reply::range(&old, r).with("ETag", "\"old\"").cut(100),
        _ if r.if_range.as_deref() == Some("\"new\"") => {
            Reply::range(&clip(), r).with("ETag", "\"new\"")
        }
        1 => Reply::new("200 OK", &clip())
            .with("ETag", "\"new\"")
            .cut(200),
        _ => Reply::new("500 Oops", b""),
    });
    let room = Room::new();
    room.clip(&format!("{NAME}url = \"{}\"", server.url("a.yuv")));
    room.nvc("datasets fetch my/a")
        .expect(0)
        .says(&["starting over"]);
    assert_eq!(room.read("my/a.yuv"), clip());
    assert_eq!(ranges(&server), ["", "bytes=100-", "bytes=200-"]);
}

#[test]
fn wrong_parts_are_thrown_away() {
    // the second answer is another part than asked for, the fourth says that there is less than we
    // have
    let server = Server::start(|r, n| match n {
        0 | 2 => Reply::range(&clip(), r).with("ETag", "\"one\"").cut(100),
        1 => Reply::new("206 Partial Content", &clip()[50..])
            .with("Content-Range", "bytes 50-287/288"),
        3 => Reply::new("416 Range Not Satisfiable", b"").with("Content-Range", "bytes */90"),
        _ => Reply::range(&clip(), r),
    });
    let room = Room::new();
    room.clip(&format!("{NAME}url = \"{}\"", server.url("a.yuv")));
    room.nvc("datasets fetch my/a")
        .expect(0)
        .says(&["another part", "no byte 100"]);
    assert_eq!(room.read("my/a.yuv"), clip());
    assert_eq!(ranges(&server), ["", "bytes=100-", "", "bytes=100-", ""]);
}

#[test]
fn a_part_without_a_validator_is_not_continued() {
    for tag in [None, Some("W/\"weak\"")] {
        let server = Server::start(move |r, n| {
            let reply = Reply::range(&clip(), r);
            let reply = if let Some(tag) = tag {
                reply.with("ETag", tag)
            } else {
                reply
            };
            if n == 0 { reply.cut(100) } else { reply }
        });
        let room = Room::new();
        room.clip(&format!("{NAME}url = \"{}\"", server.url("a.yuv")));
        room.nvc("datasets fetch my/a")
            .expect(0)
            .says(&["starting over"]);
        assert_eq!(room.read("my/a.yuv"), clip());
        assert_eq!(ranges(&server), ["", ""]);
    }
}

#[test]
fn what_differs_from_the_manifest_is_not_kept() {
    let server = Server::start(|r, _| Reply::range(&clip(), r));
    let right = sha256(&clip());
    let wrong = "12".repeat(32);
    for (keys, words) in [
        (
            format!("sha256 = \"{wrong}\""),
            vec![right.clone(), wrong.clone(), "m.toml".into()],
        ),
        (
            format!("download_sha256 = \"{wrong}\""),
            vec![right.clone(), wrong.clone()],
        ),
        (
            format!("download_md5 = \"{}\"", &wrong[..32]),
            vec!["MD5".into(), wrong[..32].into()],
        ),
        // the last of a key given twice would be an error of toml, so the geometry's are replaced
        (
            "frames".into(),
            vec!["288 bytes".into(), "4 frames of 8x8 yuv420p are 384".into()],
        ),
        (
            "less".into(),
            vec!["more than the 192 bytes".into(), "2 frames".into()],
        ),
    ] {
        let room = Room::new();
        room.clip(&format!("{NAME}url = \"{}\"", server.url("a.yuv")));
        let text = std::fs::read_to_string(room.path("m.toml")).unwrap();
        let text = match keys.as_str() {
            "frames" => text.replace("frames = 3", "frames = 4"),
            "less" => text.replace("frames = 3", "frames = 2"),
            keys => text + keys + "\n",
        };
        std::fs::write(room.path("m.toml"), text).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let done = room.nvc("datasets fetch my/a").expect(8).says(&words);
        assert_eq!(done.stdout, "");
        assert_eq!(
            (room.stored("my"), room.stored("downloads")),
            (vec![], vec![]),
            "{keys}"
        );
    }
}

#[test]
fn a_file_that_changed_since_the_first_fetch_is_refused() {
    let server = Server::start(|r, n| Reply::range(&if n == 0 { clip() } else { vec![7; 288] }, r));
    let room = Room::new();
    room.clip(&format!("{NAME}url = \"{}\"", server.url("a.yuv")));
    room.nvc("datasets fetch my/a").expect(0);
    std::fs::remove_file(room.path("store/my/a.yuv")).unwrap();
    room.nvc("datasets fetch my/a").expect(8).says(&[
        &sha256(&clip()),
        &sha256(&[7; 288]),
        "first seen",
        "a.yuv.sha256",
    ]);
    assert_eq!(room.stored("my"), ["a.yuv.sha256"]);
}

#[test]
fn without_a_network_the_way_by_hand_is_said() {
    // a port without a listener
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let room = Room::new();
    room.clip(&format!(
        "{NAME}url = \"http://127.0.0.1:{port}/a.7z\"\nmember = \"a.yuv\"\npage = \"http://page/\""
    ));
    let place = room.path("store/my/a.yuv").display().to_string();
    let host = format!("no connection to 127.0.0.1:{port}");
    let done = room.nvc("datasets fetch -q my/a").expect(3).says(&[
        &host,
        "By hand",
        &place,
        "-a.7z",
        "http://page/",
    ]);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    // and that way works
    std::fs::create_dir_all(room.path("store/my")).unwrap();
    std::fs::write(&place, clip()).unwrap();
    room.nvc("datasets fetch my/a")
        .expect(0)
        .says(&["recorded now"]);
    room.nvc("datasets verify my/a").expect(0);
}

#[test]
fn proxies_of_the_environment_are_asked() {
    let server = Server::start(|r, _| Reply::range(&clip(), r));
    let room = Room::new();
    room.clip(&format!("{NAME}url = \"http://datasets.invalid/a.yuv\""));
    let proxy = format!("http://127.0.0.1:{}", server.port);
    room.nvc_with(
        "datasets fetch my/a",
        &[
            ("http_proxy", &proxy),
            ("HTTP_PROXY", &proxy),
            ("ALL_PROXY", &proxy),
        ],
    )
    .expect(0);
    assert_eq!(room.read("my/a.yuv"), clip());
    assert!(
        server.requests()[0].target.contains("datasets.invalid"),
        "{:?}",
        server.requests()
    );
}

#[test]
fn a_page_in_place_of_an_archive_is_no_archive() {
    let server = Server::start(|_, _| Reply::new("200 OK", b"<!DOCTYPE html><p>Sorry</p>"));
    let room = Room::new();
    room.clip(&format!(
        "url = \"{}\"\nmember = \"a.yuv\"",
        server.url("a.7z")
    ));
    room.nvc("datasets fetch my/a")
        .expect(4)
        .says(&["not a 7z archive", "<!DOCTYPE"]);
    assert_eq!(
        (room.stored("my"), room.stored("downloads")),
        (vec![], vec![])
    );
}

#[test]
fn an_archive_of_two_is_fetched_once() {
    let server = Server::start(|r, _| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for name in ["d/a.png", "d/b.png"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
            std::io::Write::write_all(&mut zip, name.as_bytes()).unwrap();
        }
        Reply::range(&zip.finish().unwrap().into_inner(), r)
    });
    let room = Room::new();
    let entries = "[[entry]]\nname = \"a\"\nmember = \"a.png\"\n[[entry]]\nname = \"b\"\nmember = \"b.png\"\n";
    room.manifest(&format!(
        "[defaults]\nurl = \"{}\"\n{entries}",
        server.url("ab.zip")
    ));
    room.nvc("datasets fetch my/b").expect(0);
    assert_eq!(room.stored("downloads").len(), 1);
    room.nvc("datasets fetch my").expect(0);
    assert_eq!(
        (room.read("my/a.png"), room.read("my/b.png")),
        (b"d/a.png".to_vec(), b"d/b.png".to_vec())
    );
    assert_eq!(server.requests().len(), 1);
    assert_eq!(room.stored("downloads"), [""; 0]);
}
