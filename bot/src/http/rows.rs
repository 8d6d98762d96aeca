//! Lists as JSON or, for spreadsheets, as CSV.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::{header, request};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;

/// The format in which a client wants a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Csv,
}

/// An address that ends in `.csv`, or the header `Accept: text/csv`, asks for CSV.
impl<S: Sync> FromRequestParts<S> for Format {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _state: &S,
    ) -> Result<Self, Infallible> {
        let accepted = parts.headers.get_all(header::ACCEPT).iter();
        let accepts_csv = accepted
            .filter_map(|types| types.to_str().ok())
            .any(|types| types.contains("text/csv"));
        let is_csv = accepts_csv || parts.uri.path().ends_with(".csv");
        Ok(if is_csv { Self::Csv } else { Self::Json })
    }
}

/// Answers with a list. In CSV, the columns are the fields of `T`.
pub fn answer<T: Serialize + Default>(format: Format, rows: &[T]) -> Result<Response, ApiError> {
    let vary = [(header::VARY, "accept")];
    if format == Format::Json {
        return Ok((vary, Json(rows)).into_response());
    }
    let csv = csv(rows).map_err(|error| {
        tracing::error!("answering a request: {error}");
        ApiError::internal()
    })?;
    let content_type = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
    Ok((vary, content_type, csv).into_response())
}

fn csv<T: Serialize + Default>(rows: &[T]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut plain = csv::Writer::from_writer(Vec::new());
    // An empty list has a header too. It comes with the first row, so that row is left out below.
    plain.serialize(T::default())?;
    for row in rows {
        plain.serialize(row)?;
    }
    let plain = plain.into_inner()?;
    let mut records = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(&plain[..]);
    let mut safe = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for (i, record) in records.records().enumerate() {
        let record = record?;
        if i != 1 {
            safe.write_record(record.iter().map(|text| cell(text).into_owned()))?;
        }
    }
    Ok(safe.into_inner()?)
}

/// A text that a spreadsheet would run as a formula gets a `'` in front. Players choose their names.
fn cell(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@']) && text.parse::<f64>().is_err() {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Serialize)]
    struct Row {
        name: String,
        count: Option<i64>,
    }

    fn written(rows: &[(&str, Option<i64>)]) -> String {
        let row = |(name, count): &(&str, Option<i64>)| Row {
            name: (*name).to_owned(),
            count: *count,
        };
        let rows: Vec<Row> = rows.iter().map(row).collect();
        String::from_utf8(csv(&rows).unwrap()).unwrap()
    }

    #[test]
    fn names_are_quoted_and_never_formulas() {
        let rows = [
            ("a,\"b\"", Some(-5)),
            ("=HYPERLINK(1)", None),
            ("-=clan=-", Some(0)),
            ("@x", Some(1)),
        ];
        assert_eq!(
            written(&rows),
            "name,count\r\n\"a,\"\"b\"\"\",-5\r\n'=HYPERLINK(1),\r\n'-=clan=-,0\r\n'@x,1\r\n"
        );
    }

    #[test]
    fn empty_list_has_a_header() {
        assert_eq!(written(&[]), "name,count\r\n");
    }
}
