//! Frames 10..13 of a file, without computing those before them:
//! `cargo run --release --example seek -- clip.nvc`

use std::fs::File;
use std::io::BufReader;

fn main() -> nvc::Result<()> {
    let name = std::env::args()
        .nth(1)
        .ok_or_else(|| nvc::Error::Parameter("usage: seek FILE.nvc".into()))?;
    let file = File::open(&name).map_err(|e| nvc::Error::io(format!("opening {name}"), e))?;
    let decoder = nvc::Decoder::new(BufReader::new(file))?;
    let info = *decoder.info();
    println!("{}x{} {}", info.width, info.height, info.format.name());
    for frame in decoder.frames(10..13) {
        let (number, frame) = frame?;
        let luma = &frame.planes[0].data;
        let mean = luma.iter().map(|&v| u64::from(v)).sum::<u64>() / luma.len() as u64;
        println!("frame {number}: mean of plane 0 is {mean}");
    }
    Ok(())
}
