//! The iterator over a file's frames, against the decoder under it.

mod common;

use common::{file, info, random_group};
use nvc::Frame;
use nvc::decoder::{Options, StreamDecoder};
use nvc::frame::Chroma;

fn reader(bytes: &[u8]) -> std::io::Cursor<Vec<u8>> {
    std::io::Cursor::new(bytes.to_vec())
}

#[test]
fn the_iterator_gives_the_same_frames() {
    let info = info(16, 8, Chroma::Yuv420, 8);
    let bytes = file(
        &info,
        &(0..3)
            .map(|i| vec![random_group(&info, 2, 1_500.0, i)])
            .collect::<Vec<_>>(),
    );
    let mut all = Vec::new();
    let mut d = StreamDecoder::new(reader(&bytes), Options::default()).unwrap();
    d.decode(0..u64::MAX, &mut |_, f| {
        all.push(f);
        Ok(())
    })
    .unwrap();
    let frames = |range| -> nvc::Result<Vec<(u64, Frame)>> {
        nvc::Decoder::new(reader(&bytes))?.frames(range).collect()
    };
    let numbered: Vec<(u64, Frame)> = (0..).zip(all).collect();
    assert_eq!(frames(0..u64::MAX).unwrap(), numbered);
    assert_eq!(frames(3..5).unwrap(), numbered[3..5]);
    assert_eq!(frames(9..12).unwrap(), []);
    // one that is dropped early holds nobody up
    let mut some = nvc::Decoder::new(reader(&bytes))
        .unwrap()
        .frames(0..u64::MAX);
    assert_eq!(some.next().unwrap().unwrap(), numbered[0]);
    drop(some);
    // and damage comes after what is before it
    let cut = reader(&bytes[..bytes.len() - 30]);
    let mut torn = nvc::Decoder::new(cut).unwrap().frames(0..u64::MAX);
    assert!(torn.next().unwrap().is_ok());
    assert!(torn.by_ref().any(|f| f.is_err()) && torn.next().is_none());
}
