//! Arguments of `nvc encode`.

use std::ops::Range;
use std::path::PathBuf;

use clap::{ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::source::SourceArgs;
use crate::config;
use crate::parse::parse_frames;
use nvc_encoder::Options;

/// Progress on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressArg {
    /// A bar on a terminal, a line now and then elsewhere.
    Auto,
    /// A bar.
    Bar,
    /// One JSON object a line, on stderr, the last one of the whole file.
    Json,
    /// Nothing.
    Off,
}

/// Arguments of `nvc encode`.
#[derive(Clone, Debug, Args)]
pub struct EncodeArgs {
    /// Video or picture; - is y4m on stdin. Several are encoded into a folder.
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// File to write; - is stdout, null: is nowhere. Of several inputs the folder that gets a file
    /// of each: one that is there, or a name with / at its end.
    #[arg(short, long, value_name = "OUT.nvc")]
    pub output: PathBuf,
    /// Encode what comes before damage in the source, instead of nothing.
    #[arg(long)]
    pub keep_going: bool,
    /// Frames of the source to encode, half open, as 0..48.
    #[arg(long, value_name = "A..B", value_parser = parse_frames)]
    pub frames: Option<Range<u64>>,
    /// Overwrite outputs.
    #[arg(short = 'y', long)]
    pub overwrite: bool,

    /// Size, quality and fitting.
    #[command(flatten)]
    pub said: SaidOptions,
    /// Choices for all options of fitting and for the networks.
    #[arg(long, value_name = "FILE|NAME", help_heading = "Fitting", help = config::help())]
    pub config: Option<String>,

    /// Write the decoded frames here, as a decoder will give them.
    #[arg(long, value_name = "OUT", help_heading = "Reports")]
    pub recon: Option<PathBuf>,
    /// Write statistics here, one JSON object a line (docs/stats.md).
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub stats: Option<PathBuf>,
    /// Progress on stderr.
    #[arg(long, value_enum, default_value_t = ProgressArg::Auto, help_heading = "Reports")]
    pub progress: ProgressArg,
    /// Stop as on Ctrl-C when stdin ends: what a program that starts this one holds open ends with
    /// it.
    #[arg(long, help_heading = "Reports")]
    pub end_with_stdin: bool,
    /// Print errors and warnings only.
    #[arg(short, long, help_heading = "Reports")]
    pub quiet: bool,

    /// Geometry of raw input.
    #[command(flatten)]
    pub source: SourceArgs,
}

/// What the command line says of the encoder's options, to be taken over into those of a
/// configuration.
#[derive(Clone, Debug)]
pub struct SaidOptions(pub ArgMatches);

impl Args for SaidOptions {
    fn augment_args(command: Command) -> Command {
        // nothing is required, and there are no defaults: those are the configuration's
        Options::augment_args_for_update(command).mut_args(|a| match a.get_action() {
            // a number below 0 is one out of range, and no option
            ArgAction::Set if a.get_long().is_some() => a.allow_negative_numbers(true),
            _ => a,
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Options::augment_args_for_update(command)
    }
}

impl FromArgMatches for SaidOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(SaidOptions(matches.clone()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = matches.clone();
        Ok(())
    }
}
