//! The points of a plan, what each is filed under, and the finished ones on disk.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::plan::{CodecPlan, Plan};
use super::row::Point;
use super::sequence::Sequence;
use crate::error::{Error, Result};

/// Raised whenever the same job would give another record.
const RECORD_VERSION: u32 = 1;

/// Where on its curve a point lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum At {
    /// Bits a pixel to reach.
    Bpp(f64),
    /// A value of the codec's own scale.
    Quality(f64),
}

/// One codec at one point on one sequence.
#[derive(Clone, Debug)]
pub struct Job {
    /// Index into the sequences.
    pub sequence: usize,
    /// Index into the plan's codecs.
    pub codec: usize,
    /// The point.
    pub at: At,
    /// Digest of everything that the result follows from.
    pub key: String,
    /// Name of its files, without extension.
    pub stem: String,
    /// The stem less the key.
    pub prefix: String,
    /// The frame that is kept as a picture.
    pub picture: u64,
}

/// The version of a codec as far as its results depend on it: of the encoder, or the digest of the program.
pub type Identity<'a> = &'a mut dyn FnMut(&CodecPlan) -> Result<String>;

/// All points of a plan, the slow ones first so that no long one is left for the end. A codec whose version cannot be
/// told, as its program is missing, is in the second list with the reason.
pub fn jobs(plan: &Plan, sequences: &[Sequence], identity: Identity) -> (Vec<Job>, Vec<(usize, Error)>) {
    let (mut jobs, mut missing) = (Vec::new(), Vec::new());
    for (c, codec) in plan.codec.iter().enumerate() {
        let version = match identity(codec) {
            Ok(v) => v,
            Err(e) => {
                missing.push((c, e));
                continue;
            }
        };
        for (s, sequence) in sequences.iter().enumerate().filter(|(_, s)| codec.runs_on(&s.name)) {
            let picture = plan.picture.unwrap_or(sequence.frames / 2).min(sequence.frames - 1);
            let points = codec.bpp.iter().map(|b| At::Bpp(*b)).chain(codec.quality.iter().map(|q| At::Quality(*q)));
            for at in points {
                let optional: Vec<&str> = ["vmaf", "xpsnr"].into_iter().filter(|m| plan.wants(m)).collect();
                let what = json!({
                    "record": RECORD_VERSION, "sequence": sequence.digest, "version": version, "at": at, "threads": plan.threads,
                    "codec": [codec.codec, codec.name], "nvc": [codec.arch, codec.preset], "args": codec.args,
                    "external": [codec.encode, codec.decode, codec.extension], "picture": picture, "optional": optional,
                });
                let hash = Sha256::digest(what.to_string());
                let key: String = hash.iter().take(8).map(|b| format!("{b:02x}")).collect();
                let value = match at {
                    At::Bpp(v) => format!("bpp{v}"),
                    At::Quality(v) => format!("q{v}"),
                };
                let curve = codec.name.clone().unwrap_or_else(|| {
                    [codec.arch.as_deref(), codec.preset.as_deref()].iter().flatten().fold(codec.codec.clone(), |t, p| t + "-" + p)
                });
                let prefix = super::file_name(&format!("{}_{curve}_{value}_", sequence.name));
                jobs.push(Job { sequence: s, codec: c, at, stem: format!("{prefix}{key}"), prefix, key, picture });
            }
        }
    }
    let cost = |j: &Job| {
        let s = &sequences[j.sequence];
        let nvc = plan.codec[j.codec].codec == "nvc";
        (nvc, s.info.width as u64 * s.info.height as u64 * s.frames)
    };
    jobs.sort_by_key(|j| std::cmp::Reverse(cost(j)));
    (jobs, missing)
}

/// The finished points below a folder.
pub struct Records {
    dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Record {
    key: String,
    point: Point,
}

impl Records {
    /// Records below `dir`/points, which is made.
    pub fn open(dir: &Path) -> Result<Self> {
        let dir = dir.join("points");
        std::fs::create_dir_all(&dir).map_err(|e| Error::io(format!("creating {}", dir.display()), e))?;
        Ok(Records { dir })
    }

    /// Names of a job's files, less their extension.
    pub fn stem(&self, job: &Job) -> PathBuf {
        self.dir.join(&job.stem)
    }

    /// A file of a job.
    pub fn path(&self, job: &Job, extension: &str) -> PathBuf {
        self.dir.join(format!("{}.{extension}", job.stem))
    }

    /// The point, if it is finished. A damaged record counts as none. With `any`, the newest record of the same sequence,
    /// codec and point, whatever versions made it.
    pub fn load(&self, job: &Job, any: bool) -> Option<Point> {
        let read = |path: &Path| serde_json::from_str::<Record>(&std::fs::read_to_string(path).ok()?).ok();
        if !any {
            return read(&self.path(job, "json")).filter(|r| r.key == job.key).map(|r| r.point);
        }
        let entries = std::fs::read_dir(&self.dir).ok()?.flatten();
        let ours = entries.filter(|e| {
            let name = e.file_name().to_string_lossy().into_owned();
            name.strip_prefix(&job.prefix)
                .and_then(|n| n.strip_suffix(".json"))
                .is_some_and(|key| key.len() == job.key.len() && !key.contains('_'))
        });
        let newest = ours.max_by_key(|e| e.metadata().and_then(|m| m.modified()).ok())?;
        read(&newest.path()).map(|r| r.point)
    }

    /// Files a finished point; it is there as a whole or not at all.
    pub fn save(&self, job: &Job, point: &Point) -> Result<()> {
        let record = Record { key: job.key.clone(), point: point.clone() };
        let text = serde_json::to_string_pretty(&record).map_err(|e| Error::Parameter(format!("{}: {e}", job.stem)))?;
        write_whole(&self.path(job, "json"), text.as_bytes())
    }
}

/// Writes a file that appears under its name only when it is complete.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    std::fs::write(&part, bytes).map_err(|e| Error::io(format!("writing {}", part.display()), e))?;
    std::fs::rename(&part, path).map_err(|e| Error::io(format!("renaming {}", part.display()), e))
}

/// SHA-256 of a file's bytes.
pub fn file_digest(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).map_err(|e| Error::io(format!("opening {}", path.display()), e))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(|e| Error::io(format!("reading {}", path.display()), e))?;
        if n == 0 {
            return Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect());
        }
        hash.update(&buffer[..n]);
    }
}
