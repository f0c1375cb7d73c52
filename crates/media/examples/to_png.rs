//! All frames of a file as pictures:
//! `cargo run --release -p nvc-media --example to_png -- clip.nvc f_%05d.png`

use std::fs::File;
use std::io::BufReader;

use nvc::Error;
use nvc_media::{FileGuard, SinkFormat, open_sink};

fn main() -> nvc::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(input), Some(output)) = (args.next(), args.next()) else {
        return Err(Error::Parameter("usage: to_png FILE.nvc f_%05d.png".into()));
    };
    // nothing is overwritten, least of all what is read
    FileGuard::new(false)
        .reads(&input)
        .writes_pictures(&output)
        .check()?;
    let file = File::open(&input).map_err(|e| Error::io(format!("opening {input}"), e))?;
    let decoder = nvc::Decoder::new(BufReader::new(file))?;
    let mut sink = open_sink(&output, Some(SinkFormat::Png), decoder.info())?;
    for frame in decoder.frames(0..u64::MAX) {
        sink.write(&frame?.1)?;
    }
    sink.finish().map(drop)
}
