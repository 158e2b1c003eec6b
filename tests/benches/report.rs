//! Figures of a benchmark as a file, so that runs can be compared: `bench/<name>.json` in the target directory.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

/// One figure, perhaps beside a rival's and a target.
pub(crate) struct Figure {
    metric: String,
    ours: f64,
    unit: &'static str,
    rival: Option<(String, f64)>,
    target: Option<Target>,
}

/// What a ratio should be.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "not every benchmark has a target of each kind")]
pub(crate) enum Target {
    /// Ours over the rival's, at least.
    AtLeast(f64),
    /// Ours over the rival's, at most.
    AtMost(f64),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::AtLeast(least) => write!(f, ">= {least}"),
            Target::AtMost(most) => write!(f, "<= {most}"),
        }
    }
}

impl Target {
    fn met(self, ratio: f64) -> bool {
        match self {
            Target::AtLeast(least) => ratio >= least,
            Target::AtMost(most) => ratio <= most,
        }
    }
}

impl Figure {
    pub(crate) fn plain(metric: &str, ours: f64, unit: &'static str) -> Figure {
        Figure {
            metric: metric.to_owned(),
            ours,
            unit,
            rival: None,
            target: None,
        }
    }

    /// The same figure of somebody else, in the same unit and run.
    #[allow(dead_code, reason = "not every benchmark has a rival")]
    pub(crate) fn beside(mut self, rival: &str, value: f64) -> Figure {
        self.rival = Some((rival.to_owned(), value));
        self
    }

    /// What the ratio to the rival should be.
    #[allow(dead_code, reason = "not every benchmark has a target")]
    pub(crate) const fn wanted(mut self, target: Target) -> Figure {
        self.target = Some(target);
        self
    }

    /// Ours over the rival's.
    fn ratio(&self) -> Option<f64> {
        self.rival.as_ref().map(|(_, value)| self.ours / value)
    }

    /// Whether the target is met.
    fn met(&self) -> Option<bool> {
        let (ratio, target) = self.ratio().zip(self.target)?;
        Some(target.met(ratio))
    }

    /// The ratio, the target and whether it is met, for people.
    #[allow(dead_code, reason = "not every benchmark has a table of these")]
    pub(crate) fn verdict(&self) -> String {
        let Some(ratio) = self.ratio() else {
            return String::new();
        };
        match (self.target, self.met()) {
            (Some(target), Some(true)) => format!("{ratio:>8.1}  {target}: met"),
            (Some(target), Some(false)) => format!("{ratio:>8.1}  {target}: missed"),
            _ => format!("{ratio:>8.1}"),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "metric": self.metric,
            "ours": self.ours,
            "unit": self.unit,
            "rival": self.rival.as_ref().map(|(name, _)| name),
            "rival_value": self.rival.as_ref().map(|(_, value)| value),
            "ratio": self.ratio(),
            "target": self.target.map(|it| it.to_string()),
            "met": self.met(),
        })
    }
}

/// The figures of one benchmark.
pub(crate) struct Report {
    name: &'static str,
    figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn new(name: &'static str) -> Report {
        Report {
            name,
            figures: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// Writes the file and says where it is.
    pub(crate) fn write(self) {
        // The benchmark's own program lies in <target>/<profile>/deps.
        let program = std::env::current_exe().expect("a program");
        let target: PathBuf = program
            .ancestors()
            .nth(3)
            .expect("a target directory")
            .into();
        let dir = target.join("bench");
        std::fs::create_dir_all(&dir).expect("a directory for figures");
        let file = dir.join(format!("{}.json", self.name));
        let figures: Vec<Value> = self.figures.iter().map(Figure::to_json).collect();
        let text = serde_json::to_string_pretty(&figures).expect("figures are JSON");
        std::fs::write(&file, text).expect("figures are written");
        println!("figures: {}", file.display());
    }
}
