//! A planned expression, evaluated over batches of columns.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::ArrayRef;
use polars::polars_utils::arena::Arena;
use polars::prelude::{Column, DataFrame, PlSmallStr, PolarsResult, Schema};
use polars_expr::prelude::{ExecutionState, PhysicalExpr};
use polars_expr::{ExpressionConversionState, create_physical_expr};
use polars_plan::plans::{ExprToIRContext, to_expr_ir};

use super::plan::{plan, polars_type};
use super::tree::{Node, Type};
use super::{bridge, columns};
use crate::error::{Error, Result};

/// An expression made ready for columns of certain types.
pub(super) struct Ready {
    types: Vec<Type>,
    wanted: Option<Type>,
    expression: Arc<dyn PhysicalExpr>,
}

impl Ready {
    /// Plans `node` for columns of the given types; its value is brought to the type `wanted`, if one is.
    fn new(text: &str, node: &Node, types: Vec<Type>, wanted: Option<Type>) -> Result<Ready> {
        let expression = plan(text, node, &types, wanted)?;
        let ready = || {
            let field = |(number, of): (usize, &Type)| (PlSmallStr::from_string(number.to_string()), polars_type(*of));
            let schema = Arc::new(Schema::from_iter(types.iter().enumerate().map(field)));
            let mut arena = Arena::new();
            let ir = to_expr_ir(expression, &mut ExprToIRContext::new(&mut arena, &schema))?;
            // No threads of polars: a run's own threads evaluate, each its own batch.
            create_physical_expr(&ir, &mut arena, &schema, &mut ExpressionConversionState::new(false))
        };
        let expression = guarded(text, ready)?;
        Ok(Ready { types, wanted, expression })
    }

    /// The value in each of `rows` rows.
    fn evaluate(&self, text: &str, arrays: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        guarded(text, || {
            let column = |(number, array): (usize, &ArrayRef)| {
                let name = PlSmallStr::from_string(number.to_string());
                bridge::to_polars(name, array).map(Column::from)
            };
            let columns = arrays.iter().enumerate().map(column).collect::<PolarsResult<Vec<_>>>()?;
            let frame = DataFrame::new(rows, columns)?;
            let value = self.expression.evaluate(&frame, &ExecutionState::new())?;
            // What looks at no column has one value for all rows.
            let value = if value.len() == rows { value } else { value.new_from_index(0, rows) };
            bridge::from_polars(value.as_materialized_series())
        })
    }
}

/// Does what polars is asked to do. Its failures and panics are errors of the question.
fn guarded<T>(text: &str, work: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    let shown: String = text.chars().take(120).collect();
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let reason = error.to_string();
            let reason = reason.lines().next().unwrap_or_default();
            Err(Error::question(format!("the SQL {shown:?} cannot be evaluated: {reason}")))
        }
        Err(_) => Err(Error::question(format!("the SQL {shown:?} cannot be evaluated: the engine gave up"))
            .hint("write it in another way, and please report it")),
    }
}

/// Evaluates one expression over batch after batch: it is planned once for each combination of column types.
#[derive(Default)]
pub(super) struct Evaluation {
    ready: Option<Ready>,
}

impl Evaluation {
    /// The value of `node` in each row. `arrays` has an array for each of its columns.
    pub fn value(
        &mut self,
        text: &str,
        node: &Node,
        arrays: &[ArrayRef],
        rows: usize,
        wanted: Option<Type>,
    ) -> Result<ArrayRef> {
        let clean = arrays.iter().map(columns::clean).collect::<Result<Vec<_>>>()?;
        let types: Vec<Type> = clean.iter().map(|(_, of)| *of).collect();
        let arrays: Vec<ArrayRef> = clean.into_iter().map(|(array, _)| array).collect();
        if !self.ready.as_ref().is_some_and(|ready| ready.types == types && ready.wanted == wanted) {
            self.ready = Some(Ready::new(text, node, types, wanted)?);
        }
        match &self.ready {
            Some(ready) => ready.evaluate(text, &arrays, rows),
            None => Err(Error::bug("an expression was not planned")),
        }
    }
}
