//! `surety-sim economy`: what it pays not to do one's duty, as a table, as data and as a picture.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Args;
use plotters::prelude::{
    BLACK, ChartBuilder, IntoDrawingArea as _, LineSeries, Palette as _, Palette99, PathElement,
    SVGBackend, WHITE,
};
use plotters::style::Color as _;
use serde_json::json;
use surety_node::shell::{CliError, Exit, Shell};
use surety_protocol::params::Params;
use surety_protocol::stake::AO;

use crate::economy::{Outcome, Strategy, World, keys};
use crate::random::Random;

/// Of a hundred operators so many follow a strategy.
const SHARES: [usize; 6] = [2, 5, 10, 15, 20, 33];

#[derive(Debug, Args)]
pub(super) struct Economy {
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many epochs, each with fresh stake.
    #[arg(long, default_value = "1000")]
    epochs: NonZeroU64,
    /// Claims in an epoch.
    #[arg(long, default_value_t = 16)]
    claims: u64,
    /// Thousandths of an AO that an execution costs.
    #[arg(long, default_value_t = 1)]
    execution: u32,
    /// Of so many who tell others what they have seen, one tells them something false and accuses them.
    #[arg(long, default_value = "1000")]
    betrayal: NonZeroU64,
    /// AO that a certified lie brings.
    #[arg(long, default_value_t = 1_000_000)]
    prize: u32,
    /// Write the table to this file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw it into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// A line of the table.
struct Line {
    strategy: Strategy,
    share: usize,
    /// AO that an operator gains in an epoch, on average.
    gain: f64,
    /// Of a hundred operators so many are punished in an epoch.
    punished: f64,
}

pub(super) fn run(args: &Economy, shell: &Shell) -> Result<(), CliError> {
    let mut random = Random::new(args.seed);
    let world = World {
        params: Params::standard(),
        operators: 100,
        claims: args.claims,
        execution: i128::from(args.execution) * thousandth(),
        betrayal: args.betrayal.get(),
        prize: i128::from(args.prize) * 1000 * thousandth(),
    };
    let failed = |code, it| CliError::new(Exit::Failure, code, it);
    let keys = keys(world.operators, &mut random).map_err(|it| failed("no-keys", it))?;
    let mut sums = vec![Outcome::default(); Strategy::ALL.len() * SHARES.len()];
    for _ in 0..args.epochs.get() {
        for (sum, it) in sums
            .iter_mut()
            .zip(world.epoch(&keys, &SHARES, &mut random))
        {
            sum.gain += it.gain;
            sum.punished += it.punished;
            sum.operators += it.operators;
        }
    }
    let lines: Vec<Line> = Strategy::ALL
        .iter()
        .flat_map(|strategy| SHARES.map(|share| (*strategy, share)))
        .zip(&sums)
        .map(|((strategy, share), sum)| Line::of(strategy, share, sum))
        .collect();
    let heading = format!(
        "{} epochs of {} claims, {} operators of 100 AO, k = {}; an execution costs {}.{:03} AO",
        args.epochs,
        args.claims,
        world.operators,
        world.params.k,
        args.execution / 1000,
        args.execution % 1000
    );
    let columns = "| who | of all operators | gain of each in an epoch, AO | punished |";
    shell.data(
        format!("{heading}\n\n{columns}\n|---|---|---|---|"),
        &json!({ "epochs": args.epochs, "claims": args.claims }),
    )?;
    for line in &lines {
        let Line {
            strategy,
            share,
            gain,
            punished,
        } = line;
        shell.data(
            format!("| {strategy} | {share} % | {gain:.4} | {punished:.1} % |"),
            &json!({ "strategy": strategy.to_string(), "share": share, "gain": gain, "punished": punished }),
        )?;
    }
    if let Some(path) = &args.csv {
        std::fs::write(path, csv(&lines)).map_err(|it| failed("no-file", it.to_string()))?;
    }
    if let Some(path) = &args.svg {
        draw(&lines, &heading, path).map_err(|it| failed("no-picture", it))?;
    }
    Ok(())
}

/// A thousandth of an AO in armstrongs.
fn thousandth() -> i128 {
    i128::try_from(AO / 1000).unwrap_or(i128::MAX)
}

#[allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "averages are numbers for people"
)]
impl Line {
    fn of(strategy: Strategy, share: usize, sum: &Outcome) -> Line {
        let operators = sum.operators.max(1) as f64;
        Line {
            strategy,
            share,
            gain: sum.gain as f64 / AO as f64 / operators,
            punished: sum.punished as f64 / operators * 100.0,
        }
    }
}

fn csv(lines: &[Line]) -> String {
    let mut text = "strategy,share_percent,gain_ao,punished_percent\n".to_owned();
    for it in lines {
        text += &format!(
            "{},{},{:.6},{:.4}\n",
            it.strategy, it.share, it.gain, it.punished
        );
    }
    text
}

#[allow(clippy::cast_precision_loss, reason = "a picture is for people")]
fn draw(lines: &[Line], heading: &str, path: &Path) -> Result<(), String> {
    let failed = |it: &dyn std::fmt::Display| it.to_string();
    let area = SVGBackend::new(path, (900, 520)).into_drawing_area();
    area.fill(&WHITE).map_err(|it| failed(&it))?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .caption(heading, ("sans-serif", 14))
        .x_label_area_size(42)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..34.0, -105.0..5.0)
        .map_err(|it| failed(&it))?;
    chart
        .configure_mesh()
        .x_desc("of a hundred operators so many do it together")
        .y_desc("gain of each in an epoch, AO")
        .draw()
        .map_err(|it| failed(&it))?;
    for (index, strategy) in Strategy::ALL.iter().enumerate() {
        let color = Palette99::pick(index).mix(0.9);
        let points = lines.iter().filter(|it| it.strategy == *strategy);
        let points = points.map(|it| (it.share as f64, it.gain));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))
            .map_err(|it| failed(&it))?
            .label(strategy.to_string())
            .legend(move |(x, y)| {
                PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(2))
            });
    }
    chart
        .configure_series_labels()
        .border_style(BLACK.mix(0.4))
        .background_style(WHITE.mix(0.8))
        .draw()
        .map_err(|it| failed(&it))?;
    area.present().map_err(|it| failed(&it))
}
