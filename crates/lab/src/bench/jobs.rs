//! The points of a plan, what each is filed under, and the finished ones on disk.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::names::file_name;
use super::plan::{CodecPlan, Plan};
use super::row::Point;
use super::sequence::Sequence;
use crate::files::{make_folder, write_whole};
use ::nvc::error::{Error, Result};
use nvc_media::hex;

/// Raised whenever the same job would give another record.
const RECORD_VERSION: u32 = 1;

/// Where on its curve a point lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum OperatingPoint {
    /// Bits a pixel to reach.
    Bpp(f64),
    /// A value of the codec's own scale.
    Quality(f64),
}

impl OperatingPoint {
    /// Text of the point, as in `bpp=0.1`, or `crf=28` on the scale `crf`.
    pub fn label(self, scale: &str) -> String {
        match self {
            OperatingPoint::Bpp(v) => format!("bpp={v}"),
            OperatingPoint::Quality(v) => format!("{scale}={v}"),
        }
    }
}

/// One codec at one point on one sequence.
#[derive(Clone, Debug)]
pub struct Job {
    /// Index into the sequences.
    pub sequence: usize,
    /// Index into the plan's codecs.
    pub codec: usize,
    /// The point.
    pub at: OperatingPoint,
    /// Name of its files, without extension.
    pub stem: String,
    /// The frame that is kept as a picture.
    pub picture: u64,
    key: Key,
}

/// What a record follows from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Key {
    /// Source, codec and settings.
    encode: Value,
    /// The encoder as it was.
    version: String,
    /// What was looked at afterwards.
    score: Value,
}

/// The versions of programs as far as results depend on them.
pub struct Identities<'a> {
    /// Of a codec's encoder: its version, or the digest of the program.
    pub codec: &'a mut dyn FnMut(&CodecPlan) -> Result<String>,
    /// Of the programs that measure what the plan asks for beyond our own figures.
    pub measures: String,
}

/// Codecs that cannot run, by number in the plan, with the reason.
pub type Missing = Vec<(usize, Error)>;

/// All points of a plan, the slow ones first so that no long one is left for the end. A codec whose
/// version cannot be told, as its program is missing, is in the second list with the reason.
pub fn jobs(
    plan: &Plan,
    sequences: &[Sequence],
    identities: &mut Identities,
) -> Result<(Vec<Job>, Missing)> {
    let (mut jobs, mut missing) = (Vec::<Job>::new(), Vec::new());
    for (c, codec) in plan.codec.iter().enumerate() {
        let version = match (identities.codec)(codec) {
            Ok(v) => v,
            Err(e) => {
                missing.push((c, e));
                continue;
            }
        };
        for (s, sequence) in sequences
            .iter()
            .enumerate()
            .filter(|(_, s)| codec.runs_on(&s.name))
        {
            let picture = plan
                .picture
                .unwrap_or(sequence.frames / 2)
                .min(sequence.frames - 1);
            let points = codec
                .bpp
                .iter()
                .map(|b| OperatingPoint::Bpp(*b))
                .chain(codec.quality.iter().map(|q| OperatingPoint::Quality(*q)));
            for at in points {
                let encode = json!({
                    "record": RECORD_VERSION, "sequence": sequence.digest, "at": at, "threads": plan.threads,
                    "codec": [codec.codec, codec.name], "nvc": [codec.arch, codec.preset], "args": codec.args,
                    "external": [codec.encode, codec.decode, codec.extension],
                });
                let key = Key {
                    encode,
                    version: version.clone(),
                    score: json!([picture, identities.measures]),
                };
                if let Some(same) = jobs.iter().find(|j| j.key == key) {
                    let what = format!(
                        "codecs {} and {} of the plan are the same at {at:?} on {}",
                        same.codec + 1,
                        c + 1,
                        sequence.name
                    );
                    return Err(Error::Parameter(what));
                }
                let stem = stem(sequence, codec, at, &key);
                jobs.push(Job {
                    sequence: s,
                    codec: c,
                    at,
                    stem,
                    picture,
                    key,
                });
            }
        }
    }
    jobs.sort_by(|a, b| cost(plan, sequences, b).total_cmp(&cost(plan, sequences, a)));
    Ok((jobs, missing))
}

/// Names for people, then a digest of what the encode follows from.
fn stem(sequence: &Sequence, codec: &CodecPlan, at: OperatingPoint, key: &Key) -> String {
    let digest = hex(&Sha256::digest(format!("{} {}", key.encode, key.version))[..8]);
    let (OperatingPoint::Bpp(value) | OperatingPoint::Quality(value)) = at;
    let mut name = format!(
        "{}_{}",
        sequence.name,
        codec.name.as_deref().unwrap_or(&codec.codec)
    );
    for part in [&codec.arch, &codec.preset].into_iter().flatten() {
        name += &format!("-{part}");
    }
    file_name(&format!("{name}_{value}_{digest}"))
}

/// Rough order of how long points take.
fn cost(plan: &Plan, sequences: &[Sequence], job: &Job) -> f64 {
    let s = &sequences[job.sequence];
    let samples = (s.info.width * s.info.height) as f64 * s.frames as f64;
    match job.at {
        OperatingPoint::Bpp(bpp) if plan.codec[job.codec].codec == "nvc" => 1e6 * samples * bpp,
        _ => samples,
    }
}

/// The finished points below a folder.
pub struct Records {
    dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Record {
    key: Key,
    point: Point,
}

/// What there is of a job.
pub enum Found {
    /// The whole point.
    Point(Point),
    /// The same encode, looked at otherwise.
    Encode(Point),
    /// Nothing.
    Nothing,
}

impl Found {
    /// The point, if it is finished.
    pub fn point(self) -> Option<Point> {
        if let Found::Point(p) = self {
            Some(p)
        } else {
            None
        }
    }
}

impl Records {
    /// Records below `dir`/points, which is made. What a killed run left half done is removed:
    /// no other process writes there.
    pub fn open(dir: &Path) -> Result<Self> {
        let dir = dir.join("points");
        make_folder(&dir)?;
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(HALF_DONE) {
                let _ = std::fs::remove_dir_all(entry.path());
            } else if name.ends_with(".part") {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(Records { dir })
    }

    /// A file of a job.
    pub fn path(&self, job: &Job, extension: &str) -> PathBuf {
        self.dir.join(format!("{}.{extension}", job.stem))
    }

    /// A folder for one attempt at a job, removed with its contents in the end.
    pub fn attempt(&self) -> Result<tempfile::TempDir> {
        tempfile::Builder::new()
            .prefix(HALF_DONE)
            .tempdir_in(&self.dir)
            .map_err(|e| Error::io("creating a folder for a point", e))
    }

    /// What is finished of a job. A damaged record counts as nothing.
    pub fn find(&self, job: &Job) -> Found {
        match read(&self.path(job, "json")) {
            Some(r) if r.key == job.key => Found::Point(r.point),
            Some(r) if r.key.encode == job.key.encode && r.key.version == job.key.version => {
                Found::Encode(r.point)
            }
            _ => Found::Nothing,
        }
    }

    /// The newest records of jobs, whatever versions made them and however they were looked at.
    pub fn newest(&self, jobs: &[Job]) -> Vec<Option<Point>> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut all: Vec<_> = entries
            .filter(|e| e.path().extension().is_some_and(|x| x == "json"))
            .collect();
        all.sort_by_key(|e| std::cmp::Reverse(e.metadata().and_then(|m| m.modified()).ok()));
        let records: Vec<Record> = all.iter().filter_map(|e| read(&e.path())).collect();
        jobs.iter()
            .map(|j| {
                records
                    .iter()
                    .find(|r| r.key.encode == j.key.encode)
                    .map(|r| r.point.clone())
            })
            .collect()
    }

    /// Files a finished point; it is there as a whole or not at all.
    pub fn save(&self, job: &Job, point: &Point) -> Result<()> {
        let record = Record {
            key: job.key.clone(),
            point: point.clone(),
        };
        let text = serde_json::to_string_pretty(&record)
            .map_err(|e| Error::Parameter(format!("{}: {e}", job.stem)))?;
        write_whole(&self.path(job, "json"), text.as_bytes())
    }
}

/// Start of the names of folders that attempts write to.
const HALF_DONE: &str = "half-done-";

fn read(path: &Path) -> Option<Record> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}
