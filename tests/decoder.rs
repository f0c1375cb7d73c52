//! The decoder: every executor gives the same samples, files round-trip, damaged files are refused.

mod common;

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use common::{file, info, random_group};
use nvc::decoder::{Options, StreamDecoder};
use nvc::frame::{Chroma, ContentLight, Frame, LightInfo, Mastering, Siting, VideoInfo};
use nvc::group::Group;
use nvc::synth::{SimdLevel, Synth};

fn pictures(g: &Group, info: &VideoInfo, level: SimdLevel) -> Vec<Frame> {
    let graph = g.arch.lower(info, g.frames).unwrap();
    let synth = Synth::new(&graph, &g.network, info, level).unwrap();
    let mut ws = synth.workspace();
    (0..graph.passes(g.frames))
        .flat_map(|pass| synth.frames(&synth.source(pass, &g.latents), &mut ws))
        .collect()
}

/// A reader of a copy, which a decoder's thread may keep.
fn reader(bytes: &[u8]) -> std::io::Cursor<Vec<u8>> {
    std::io::Cursor::new(bytes.to_vec())
}

fn decode(bytes: &[u8], options: Options) -> nvc::Result<Vec<Frame>> {
    let mut d = StreamDecoder::new(reader(bytes), options)?;
    let mut out = Vec::new();
    d.decode(0..u64::MAX, &mut |i, f| {
        assert_eq!(i, out.len() as u64);
        out.push(f);
        Ok(())
    })?;
    Ok(out)
}

#[test]
fn every_level_gives_the_same_samples() {
    for (w, h, chroma, depth) in [
        (64, 48, Chroma::Yuv420, 8),
        (61, 35, Chroma::Yuv420, 8),
        (40, 30, Chroma::Rgb, 8),
        (33, 50, Chroma::Yuv444, 10),
        (29, 31, Chroma::Gray, 8),
        (2, 2, Chroma::Yuv420, 8),
        (1, 1, Chroma::Rgb, 8),
    ] {
        let info = info(w, h, chroma, depth);
        let g = random_group(&info, 2, 20_000.0, 7);
        let reference = pictures(&g, &info, SimdLevel::Reference);
        let distinct: std::collections::HashSet<u16> =
            reference[0].planes[0].data.iter().copied().collect();
        assert!(
            w * h < 100 || distinct.len() > 20,
            "{w}x{h}: the test picture is flat ({} values)",
            distinct.len()
        );
        for level in SimdLevel::available() {
            assert!(
                pictures(&g, &info, level) == reference,
                "{w}x{h} {chroma:?} differs at {level:?}"
            );
        }
    }
}

#[test]
fn sums_that_need_64_bits_are_exact() {
    let info = info(48, 32, Chroma::Yuv420, 8);
    let mut g = random_group(&info, 1, 20_000.0, 3);
    // largest weights everywhere: no layer can be proved to fit 32 bits
    for t in &mut g.network.tensors {
        for v in &mut t.values {
            *v = if *v < 0 { -32767 } else { 32767 };
        }
    }
    let reference = pictures(&g, &info, SimdLevel::Reference);
    for level in SimdLevel::available() {
        assert!(pictures(&g, &info, level) == reference, "{level:?}");
    }
}

#[test]
fn a_file_gives_back_its_groups_and_its_frames() {
    let info = info(64, 48, Chroma::Yuv420, 8);
    let groups: Vec<Group> = (0..3)
        .map(|i| random_group(&info, 2 + i, 15_000.0, i as u64))
        .collect();
    let bytes = file(
        &info,
        &[
            vec![groups[0].clone()],
            vec![groups[1].clone(), groups[2].clone()],
        ],
    );
    let mut d = StreamDecoder::new(&bytes[..], Options::default()).unwrap();
    assert_eq!(d.info(), &info);
    let mut got = Vec::new();
    while let Some(s) = d.next_section().unwrap() {
        s.groups_in(0..u64::MAX, SimdLevel::Reference, &mut |_, _, g| {
            got.push(g);
            Ok(())
        })
        .unwrap();
    }
    assert!(got == groups);
    assert_eq!(d.bytes_read(), bytes.len() as u64);

    let expected: Vec<Frame> = groups
        .iter()
        .flat_map(|g| pictures(g, &info, SimdLevel::Reference))
        .collect();
    for threads in [1, 2, 3] {
        assert!(
            decode(
                &bytes,
                Options {
                    threads,
                    ..Options::default()
                }
            )
            .unwrap()
                == expected
        );
    }
    let mut d = StreamDecoder::new(reader(&bytes), Options::default()).unwrap();
    let mut some = Vec::new();
    d.decode(1..6, &mut |i, f| {
        some.push((i, f));
        Ok(())
    })
    .unwrap();
    assert!(some.iter().map(|(i, _)| *i).eq(1..6));
    assert!(some.iter().all(|(i, f)| *f == expected[*i as usize]));
}

/// The file with the payload of its `n`-th packet changed and the CRC made right again.
fn patched(bytes: &[u8], n: usize, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = bytes[..8].to_vec();
    let mut at = 8;
    let mut i = 0;
    while at < bytes.len() {
        let len = u32::from_le_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize;
        let mut payload = bytes[at + 5..at + 5 + len].to_vec();
        if i == n {
            change(&mut payload);
        }
        let mut packet = vec![bytes[at]];
        packet.extend((payload.len() as u32).to_le_bytes());
        packet.extend(&payload);
        let crc = crc32fast::hash(&packet);
        out.extend(packet);
        out.extend(crc.to_le_bytes());
        at += len + 9;
        i += 1;
    }
    out
}

fn small() -> Vec<u8> {
    let info = info(16, 8, Chroma::Yuv420, 8);
    file(
        &info,
        &[
            vec![random_group(&info, 2, 1_500.0, 1)],
            vec![random_group(&info, 1, 1_500.0, 2)],
        ],
    )
}

#[test]
fn truncation_anywhere_is_an_error_with_an_offset() {
    let bytes = small();
    assert!(decode(&bytes, Options::default()).is_ok());
    for n in (0..200.min(bytes.len()))
        .chain((200..bytes.len()).step_by(97))
        .chain(bytes.len() - 60..bytes.len())
    {
        let e = decode(&bytes[..n], Options::default())
            .err()
            .unwrap_or_else(|| panic!("{n} bytes decoded"));
        assert_eq!(e.exit_code(), 4, "{n} bytes: {e}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_an_error() {
    let bytes = small();
    for i in (0..bytes.len()).filter(|i| *i < 120 || i % 61 == 0 || *i + 60 > bytes.len()) {
        let mut b = bytes.clone();
        b[i] ^= 1 << (i % 8);
        let e = decode(&b, Options::default())
            .err()
            .unwrap_or_else(|| panic!("byte {i} flipped and decoded"));
        assert!([4, 5].contains(&e.exit_code()), "byte {i}: {e}");
    }
}

#[test]
fn flips_under_a_right_crc_never_panic() {
    let bytes = small();
    let mut refused = 0;
    for packet in 0..4 {
        for i in 0..80 {
            for bit in [0, 3, 7] {
                let b = patched(&bytes, packet, |p| {
                    if let Some(v) = p.get_mut(i) {
                        *v ^= 1 << bit;
                    }
                });
                match decode(
                    &b,
                    Options {
                        level: SimdLevel::Scalar,
                        threads: 1,
                        ..Options::default()
                    },
                ) {
                    Ok(_) => {}
                    Err(e) => {
                        assert!(
                            [4, 5].contains(&e.exit_code()),
                            "packet {packet} byte {i} bit {bit}: {e}"
                        );
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(refused > 100, "only {refused} were refused");
}

#[test]
fn empty_and_foreign_files_are_named() {
    let e = decode(b"", Options::default()).unwrap_err();
    assert!(e.to_string().contains("empty"), "{e}");
    let e = decode(b"YUV4MPEG2 W4 H4 F25:1\nFRAME\n", Options::default()).unwrap_err();
    assert!(
        e.exit_code() == 4 && e.to_string().contains("not an NVC file"),
        "{e}"
    );
    let mut b = small();
    b.extend(b"more");
    assert_eq!(decode(&b, Options::default()).unwrap_err().exit_code(), 4);
}

#[test]
fn an_over_large_header_is_refused_at_once() {
    let bytes = small();
    // 65535 x 65535 samples
    let big = patched(&bytes, 0, |p| {
        p.splice(1..3, [0xff, 0xff, 0x03, 0xff, 0xff, 0x03]);
    });
    let e = decode(&big, Options::default()).unwrap_err();
    assert_eq!(e.exit_code(), 5, "{e}");
    // a packet that claims 2 GiB
    let mut b = bytes.clone();
    let at = 8 + 9 + u32::from_le_bytes(bytes[9..13].try_into().unwrap()) as usize;
    b[at + 1..at + 5].copy_from_slice(&0x8000_0000u32.to_le_bytes());
    let e = decode(&b, Options::default()).unwrap_err();
    assert_eq!(e.exit_code(), 5, "{e}");
}

#[test]
fn unknown_lower_case_packets_are_skipped_and_upper_case_refused() {
    let bytes = small();
    let header = 8 + 9 + u32::from_le_bytes(bytes[9..13].try_into().unwrap()) as usize;
    for (tag, code) in [(b'x', 4), (b'X', 5)] {
        let mut packet = vec![tag, 2, 0, 0, 0, 1, 2];
        packet.extend(crc32fast::hash(&packet).to_le_bytes());
        let b = [&bytes[..header], &packet, &bytes[header..]].concat();
        let mut d = StreamDecoder::new(&b[..], Options::default()).unwrap();
        let first = d.next_section();
        if code == 4 {
            // the sections decode; only the index's own offset is now wrong
            assert!(first.unwrap().is_some() && d.next_section().unwrap().is_some());
            assert_eq!(d.next_section().err().unwrap().exit_code(), 4);
        } else {
            assert_eq!(first.err().unwrap().exit_code(), 5);
        }
    }
}

/// Where each packet of a file ends.
fn packet_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![8];
    while let Some(&at) = ends.last().filter(|&&at| at < bytes.len()) {
        ends.push(at + 9 + u32::from_le_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize);
    }
    ends.remove(0);
    ends
}

/// A pipe: gives what it is sent, and waits for more.
struct Pipe {
    parts: mpsc::Receiver<Vec<u8>>,
    part: Vec<u8>,
    /// Bytes taken so far.
    taken: Arc<AtomicUsize>,
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.part.is_empty() {
            match self.parts.recv_timeout(Duration::from_secs(60)) {
                Ok(p) => self.part = p,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(0),
                Err(e) => return Err(std::io::Error::other(e)),
            }
        }
        let n = buf.len().min(self.part.len());
        buf[..n].copy_from_slice(&self.part[..n]);
        self.part.drain(..n);
        self.taken.fetch_add(n, Ordering::SeqCst);
        Ok(n)
    }
}

fn pipe() -> (mpsc::Sender<Vec<u8>>, Pipe) {
    let (send, parts) = mpsc::channel();
    (
        send,
        Pipe {
            parts,
            part: Vec::new(),
            taken: Arc::default(),
        },
    )
}

fn sections(count: usize, frames: usize) -> (Vec<u8>, Vec<usize>) {
    let info = info(16, 8, Chroma::Yuv420, 8);
    let bytes = file(
        &info,
        &(0..count)
            .map(|i| vec![random_group(&info, frames, 1_500.0, i as u64)])
            .collect::<Vec<_>>(),
    );
    let ends = packet_ends(&bytes);
    (bytes, ends)
}

#[test]
fn frames_come_out_before_the_next_section_arrives() {
    let (bytes, ends) = sections(3, 2);
    let (send, pipe) = pipe();
    send.send(bytes[..ends[1]].to_vec()).unwrap();
    let mut d = StreamDecoder::new(pipe, Options::default()).unwrap();
    let (mut seen, mut send) = (0, Some(send));
    d.decode(0..u64::MAX, &mut |i, _| {
        seen += 1;
        // only now that its last frame is here does the next section come
        if i % 2 == 1 {
            let section = 1 + i as usize / 2;
            // with the last one also the file's end
            let end = if section == 3 {
                bytes.len()
            } else {
                ends[section + 1]
            };
            send.as_ref()
                .unwrap()
                .send(bytes[ends[section]..end].to_vec())
                .unwrap();
            send.take_if(|_| section == 3);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(
        (seen, d.frames_read(), d.bytes_read()),
        (6, 6, bytes.len() as u64)
    );
}

#[test]
fn a_failing_sink_ends_decoding_though_the_pipe_is_silent() {
    let (bytes, ends) = sections(2, 3);
    let (send, pipe) = pipe();
    send.send(bytes[..ends[1]].to_vec()).unwrap();
    let mut d = StreamDecoder::new(pipe, Options::default()).unwrap();
    let start = Instant::now();
    let mut seen = 0;
    let e = d
        .decode(0..u64::MAX, &mut |_, _| {
            seen += 1;
            Err(nvc::Error::Interrupted)
        })
        .unwrap_err();
    assert_eq!((e.exit_code(), seen), (130, 1));
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "waited {:?} for a pipe that says nothing",
        start.elapsed()
    );
    assert_eq!(d.next_section().err().unwrap().exit_code(), 2);
    assert_eq!(
        d.decode(0..1, &mut |_, _| Ok(())).unwrap_err().exit_code(),
        2
    );
    drop(send);
}

#[test]
fn frames_before_a_damaged_section_are_given_out_first() {
    let (mut bytes, ends) = sections(3, 2);
    bytes[ends[1] + 40] ^= 1;
    for threads in [1, 4] {
        let mut seen = 0;
        let mut d = StreamDecoder::new(
            reader(&bytes),
            Options {
                threads,
                ..Options::default()
            },
        )
        .unwrap();
        let e = d
            .decode(0..u64::MAX, &mut |_, _| {
                seen += 1;
                Ok(())
            })
            .unwrap_err();
        assert_eq!(seen, 2, "{e}");
        assert!(
            e.exit_code() == 4 && e.to_string().contains(&format!("byte {}", ends[1])),
            "{e}"
        );
    }
}

#[test]
fn reading_keeps_one_group_ahead_of_rendering() {
    let (bytes, ends) = sections(12, 1);
    let (send, pipe) = pipe();
    let taken = pipe.taken.clone();
    send.send(bytes.clone()).unwrap();
    drop(send);
    let mut d = StreamDecoder::new(
        pipe,
        Options {
            threads: 1,
            ..Options::default()
        },
    )
    .unwrap();
    let mut ahead = Vec::new();
    d.decode(0..u64::MAX, &mut |i, _| {
        std::thread::sleep(Duration::from_millis(20));
        let read = taken.load(Ordering::SeqCst);
        let sections = ends[1..].iter().filter(|&&e| e <= read).count();
        ahead.push(sections as i64 - 1 - i as i64);
        Ok(())
    })
    .unwrap();
    assert!(
        ahead.iter().all(|&a| a <= 1),
        "sections read ahead: {ahead:?}"
    );
    assert!(
        ahead[..10].contains(&1),
        "nothing is read while pictures are computed: {ahead:?}"
    );
}

#[test]
fn light_and_siting_are_known_before_the_first_section_has_arrived() {
    let mastering = Mastering {
        green: [13250, 34500],
        blue: [7500, 3000],
        red: [34000, 16000],
        white: [15635, 16450],
        max_luminance: u32::MAX,
        min_luminance: 0,
    };
    let light = LightInfo {
        mastering: Some(mastering),
        content: Some(ContentLight {
            max_cll: 65535,
            max_fall: 1,
        }),
    };
    let plain = info(24, 16, Chroma::Yuv420, 10);
    let mut lit = plain;
    (lit.color.siting, lit.color.light) = (Siting::TopLeft, Some(light));
    let g = random_group(&plain, 3, 2000.0, 5);
    let (bytes, without) = (file(&lit, &[vec![g.clone()]]), file(&plain, &[vec![g]]));
    assert_eq!(
        decode(&bytes, Options::default()).unwrap(),
        decode(&without, Options::default()).unwrap()
    );

    let [header, light] = packet_ends(&bytes)[..2] else {
        panic!("no packets")
    };
    let d = StreamDecoder::new(Ends(&bytes[..light + 5]), Options::default()).unwrap();
    assert_eq!(*d.info(), lit);
    assert_eq!(
        (d.bytes_read(), d.ancillary_bytes()),
        (light as u64, (light - header) as u64)
    );
}

/// A reader that must not be asked for more than it has.
struct Ends<'a>(&'a [u8]);

impl Read for Ends<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        assert!(!self.0.is_empty(), "read past what has arrived");
        self.0.read(buf)
    }
}
