//! `obsq fmt`

use std::path::PathBuf;

use obsq_query_lang::promql::{parse, pretty};

use crate::commands::shared::read_stdin;
use crate::exit::{Exit, Failure};
use crate::session::Session;

/// Lay a query out in the canonical way
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FmtArgs {
    /// The query; `-` reads it from standard input
    #[arg(value_name = "QUERY")]
    query: Option<String>,
    /// Read the query from a file
    #[arg(short, long, value_name = "FILE", conflicts_with = "query")]
    file: Option<PathBuf>,
    /// Print nothing, and exit with 1 when the layout is another
    #[arg(long)]
    check: bool,
    /// Write the file instead of standard output
    #[arg(short, long, requires = "file", conflicts_with = "check")]
    write: bool,
}

const EXAMPLES: &str = "\
Examples:
  obsq fmt 'sum(rate(x[5m]))by(job)/2'
  obsq fmt --check --file query.promql";

/// Prints the query in its canonical layout.
pub(crate) fn fmt(args: &FmtArgs, session: &mut Session) -> Result<Exit, Failure> {
    let text = match (&args.file, args.query.as_deref()) {
        (Some(path), _) => std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("cannot read `{}`", path.display())).because(&error)
        })?,
        (None, Some("-")) => read_stdin(session)?,
        (None, Some(query)) => query.to_owned(),
        (None, None) => {
            return Err(Failure::usage("there is no query to lay out")
                .hint("name one, `-` for standard input, or a file with `--file`"));
        }
    };
    let text = text.trim();
    let ast = parse(text)
        .into_result()
        .map_err(|diagnostics| Failure::query(text, diagnostics))?;
    let laid_out = pretty(&ast);
    if args.check {
        if laid_out == text {
            return Ok(Exit::Success);
        }
        let name = args
            .file
            .as_ref()
            .map(|path| format!("`{}`", path.display()));
        let name = name.unwrap_or_else(|| "the query".into());
        return Err(Failure::failed(format!("{name} is laid out differently"))
            .hint("`obsq fmt` prints the canonical layout"));
    }
    let line = format!("{laid_out}\n");
    if let (Some(path), true) = (&args.file, args.write) {
        std::fs::write(path, line).map_err(|error| {
            Failure::failed(format!("cannot write `{}`", path.display())).because(&error)
        })?;
        return Ok(Exit::Success);
    }
    session.console.out().write_all(line.as_bytes())?;
    session.console.out().flush()?;
    Ok(Exit::Success)
}
