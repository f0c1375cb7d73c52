//! A source to a file, as `nvc encode IN -o OUT --bpp 0.1 --preset fast` does:
//! `cargo run --release -p nvc-encoder --example encode -- in.y4m out.nvc`

use nvc::Error;
use nvc_encoder::fit::Progress;
use nvc_encoder::plan::Preset;
use nvc_encoder::{Observer, Options, encode};
use nvc_media::{FileGuard, Output, SourceOptions, open_source};

struct Printer;

impl Observer for Printer {
    fn progress(&mut self, group: usize, p: &Progress) {
        if p.step.is_multiple_of(100) {
            println!(
                "group {group}: step {} of {}, {:.2} dB",
                p.step, p.steps, p.psnr
            );
        }
    }
}

fn main() -> nvc::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(input), Some(output)) = (args.next(), args.next()) else {
        return Err(Error::Parameter("usage: encode IN OUT.nvc".into()));
    };
    FileGuard::new(false)
        .reads(&input)
        .writes(&output)
        .check()?;
    let mut source = open_source(&input, &SourceOptions::default())?;
    let mut out = Output::create(&output)?;
    let options = Options {
        bpp: Some(0.1),
        preset: Preset::Fast,
        ..Options::default()
    };
    let report = encode(&mut *source, &mut out, &options, &mut Printer)?;
    out.commit()?;
    println!("{} frames, {} bytes", report.frames, report.bytes);
    report.check_target()
}
