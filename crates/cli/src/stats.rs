//! The statistics file of an encode (docs/stats.md).

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;
use nvc_encoder::fit::Precision;
use nvc_encoder::{Options, Report, Target};
use nvc_lab::scores_json;
use nvc_media::Output;

/// Version of the statistics' fields (docs/stats.md).
const SCHEMA: u32 = 1;

/// The statistics file: NDJSON.
pub struct Stats {
    file: Option<Arc<Mutex<Output>>>,
    /// The source that the lines are of, where there are several.
    input: Option<String>,
}

impl Stats {
    /// Opens `path`, or nothing.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let output = path.map(Output::create).transpose()?;
        Ok(Stats {
            file: output.map(|o| Arc::new(Mutex::new(o))),
            input: None,
        })
    }

    /// The same file, for the lines of one source of several.
    pub fn of(&self, input: &Path) -> Self {
        Stats {
            file: self.file.clone(),
            input: Some(input.to_string_lossy().into_owned()),
        }
    }

    /// Whether the lines are of one source of several.
    pub fn is_of_one(&self) -> bool {
        self.input.is_some()
    }

    /// A line with the source that it is of.
    pub fn named(&self, v: &Value) -> Value {
        let mut v = v.clone();
        if let Some(input) = &self.input {
            v["input"] = json!(input);
        }
        v
    }

    /// What lines for people begin with.
    pub fn prefix(&self) -> String {
        let input = self.input.as_ref();
        input.map_or(String::new(), |input| format!("{input}: "))
    }

    /// Writes a line.
    pub fn line(&mut self, v: &Value) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut o = file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(o, "{}", self.named(v))
            .and_then(|()| o.flush())
            .map_err(|e| o.error(e))
    }

    /// What is about to be encoded.
    pub fn start(
        &mut self,
        input: &Path,
        output: &Path,
        info: &VideoInfo,
        frames: Option<u64>,
        o: &Options,
    ) -> Result<()> {
        let target = match o.target(info)? {
            Target::Bpp(bpp) => json!({ "bpp": bpp }),
            Target::Bytes(bytes) => json!({ "bytes": bytes }),
            Target::Psnr(psnr) => json!({ "psnr": psnr }),
            Target::Crf(crf) => json!({ "crf": crf }),
            Target::FromModelSize => Value::Null,
        };
        let v = json!({
            "type": "start", "schema": SCHEMA, "version": env!("CARGO_PKG_VERSION"), "input": input.to_string_lossy(), "output": output.to_string_lossy(),
            "width": info.width, "height": info.height, "pix_fmt": info.format.name(),
            "fps": [info.fps.num, info.fps.den], "frames": frames,
            "target": target, "arch": o.arch.name(), "section": o.section.0, "model_size": o.model_size,
            "preset": format!("{:?}", o.preset).to_lowercase(), "steps": o.steps, "passes": o.passes, "batch": o.batch,
            "lr": o.lr.unwrap_or(o.arch.learning_rate()), "loss": format!("{:?}", o.loss).to_lowercase(),
            "optimiser": format!("{:?}", o.optimiser).to_lowercase(), "float_share": o.float_share, "rate": !o.no_rate, "weight_bits": o.weight_bits,
            "seed": o.seed, "threads": o.threads, "jobs": o.jobs, "device": o.device.resolve().to_string(),
            "precision": match o.precision { Precision::Full => "f32", Precision::Half => "f16" },
        });
        self.line(&v)
    }

    /// The whole file; gives the line.
    pub fn done(&mut self, r: &Report) -> Result<Value> {
        let mut v = scores_json(&r.scores);
        v["type"] = json!("done");
        v["bytes"] = json!(r.bytes);
        v["bpp"] = json!(r.bpp);
        v["seconds"] = json!(r.seconds);
        v["arch"] = json!(r.family.name());
        v["groups"] = json!(r.groups.len());
        self.line(&v)?;
        Ok(v)
    }

    /// How it failed.
    pub fn error(&mut self, e: &Error) -> Result<()> {
        self.line(&json!({ "type": "error", "message": e.to_string(), "exit_code": e.exit_code() }))
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        self.file.map_or(Ok(()), |file| {
            let mut o = file.lock().unwrap_or_else(PoisonError::into_inner);
            o.commit()
        })
    }
}
