//! Figures of a benchmark as a file, so that runs can be compared: `bench/<name>.json` in the target directory.

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

    fn to_json(&self) -> Value {
        let ratio = self.rival.as_ref().map(|(_, value)| self.ours / value);
        let met = ratio.zip(self.target).map(|(ratio, target)| match target {
            Target::AtLeast(least) => ratio >= least,
            Target::AtMost(most) => ratio <= most,
        });
        let target = self.target.map(|target| match target {
            Target::AtLeast(least) => format!(">= {least}"),
            Target::AtMost(most) => format!("<= {most}"),
        });
        json!({
            "metric": self.metric,
            "ours": self.ours,
            "unit": self.unit,
            "rival": self.rival.as_ref().map(|(name, _)| name),
            "rival_value": self.rival.as_ref().map(|(_, value)| value),
            "ratio": ratio,
            "target": target,
            "met": met,
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
