//! Arguments of the rate-distortion harness: `nvc bench` and `nvc datasets`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `nvc bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Plan (TOML): sequences, codecs, points; docs/bench.md has its keys.
    pub plan: PathBuf,
    /// Folder of results (default bench-out/NAME). A run goes on where an earlier one into the same
    /// folder stopped.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Folder that the files of the plan's sequences are below (default: the plan's own).
    #[arg(long, value_name = "DIR")]
    pub base: Option<PathBuf>,
    /// Run on these data sets in place of the plan's sequences, as uvg or uvg/Beauty.
    #[arg(long, value_name = "SET[/NAME]", value_delimiter = ',')]
    pub dataset: Vec<String>,
    /// Frames of every sequence, half open, in place of the plan's.
    #[arg(long, value_name = "A..B")]
    pub frames: Option<String>,
    /// Run only these codecs of the plan, by what stands behind `use`.
    #[arg(long, value_name = "CODEC", value_delimiter = ',')]
    pub codec: Vec<String>,
    /// Points at once, each in processes of its own; 0 = as the plan says, else processors /
    /// threads.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub jobs: usize,
    /// Run nothing: make tables and report anew from what is finished.
    #[arg(long)]
    pub gather: bool,
    /// Do not fetch data sets that are not there.
    #[arg(long)]
    pub no_fetch: bool,
    /// Say only what fails.
    #[arg(short, long)]
    pub quiet: bool,
    /// Where data sets lie.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Arguments of `nvc datasets`.
#[derive(Debug, Args)]
pub struct DatasetsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DatasetsCommand,
}

/// Which store of datasets.
#[derive(Debug, Args)]
#[command(next_help_heading = "Store")]
pub struct StoreArgs {
    /// Folder of the files (default: NVC_DATASETS_DIR, else nvc/datasets in the user's cache
    /// folder).
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// A manifest of your own (datasets/README.md); may be given more than once.
    /// NVC_DATASETS_MANIFESTS names more.
    #[arg(long, value_name = "FILE")]
    pub manifest: Vec<PathBuf>,
}

/// Subcommands of `nvc datasets`.
#[derive(Debug, clap::Subcommand)]
pub enum DatasetsCommand {
    /// Show the sets, or the sequences of one set.
    List {
        /// Name of a set.
        set: Option<String>,
        /// One JSON object with everything that is known.
        #[arg(long)]
        json: bool,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Download, unpack and check what is not there. Prints the paths of the files.
    Fetch {
        /// Names of sequences (uvg/Beauty) or of whole sets (uvg).
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Print errors only.
        #[arg(short, long)]
        quiet: bool,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Read files and check their SHA-256: exit code 8 if one differs. Without names, all that are
    /// there.
    Verify {
        /// Names of sequences or of whole sets.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Print the paths of fetched files.
    Path {
        /// Name of a sequence or of a whole set.
        #[arg(value_name = "NAME")]
        name: String,
        /// Which store.
        #[command(flatten)]
        store: StoreArgs,
    },
}
