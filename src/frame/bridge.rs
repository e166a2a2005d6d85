//! Arrow arrays ⇄ polars columns, over the Arrow C data interface: nothing is copied.

use arrow_array::{Array, ArrayRef, ffi, make_array};
use polars::prelude::{CompatLevel, PlSmallStr, PolarsResult, Series};
use polars_arrow::ffi as polars_ffi;

// Both crates declare the two structs of the C data interface, whose layout is fixed.
const _: () = assert!(size_of::<ffi::FFI_ArrowArray>() == size_of::<polars_ffi::ArrowArray>());
const _: () = assert!(size_of::<ffi::FFI_ArrowSchema>() == size_of::<polars_ffi::ArrowSchema>());

/// An array as a polars column. Texts in it must be UTF-8, also where they are null.
pub(super) fn to_polars(name: PlSmallStr, array: &ArrayRef) -> PolarsResult<Series> {
    let exported = ffi::to_ffi(&array.to_data());
    let (array, schema) = exported.map_err(|error| polars_error(&error))?;
    // SAFETY: both types are the `repr(C)` struct ArrowArray of the C data interface, of equal size as asserted above. The value is
    // moved, so that its release callback is called once, by the new owner.
    let array: polars_ffi::ArrowArray = unsafe { std::mem::transmute(array) };
    // SAFETY: the same for the struct ArrowSchema.
    let schema: polars_ffi::ArrowSchema = unsafe { std::mem::transmute(schema) };
    // SAFETY: the schema was made by arrow-rs just now and fulfils the C data interface.
    let field = unsafe { polars_ffi::import_field_from_c(&schema) }?;
    // SAFETY: the array was made by arrow-rs just now, together with the schema that says its type.
    let array = unsafe { polars_ffi::import_array_from_c(array, field.dtype) }?;
    Series::from_arrow(name, array)
}

/// A polars column as an array.
pub(super) fn from_polars(series: &Series) -> PolarsResult<ArrayRef> {
    let series = series.rechunk();
    let field =
        polars_arrow::datatypes::Field::new(PlSmallStr::EMPTY, series.dtype().to_arrow(CompatLevel::newest()), true);
    let array = series.to_arrow(0, CompatLevel::newest());
    // SAFETY: both types are the `repr(C)` struct ArrowSchema of the C data interface, of equal size as asserted above; the value is
    // moved, so that it is released once.
    let schema: ffi::FFI_ArrowSchema = unsafe { std::mem::transmute(polars_ffi::export_field_to_c(&field)) };
    // SAFETY: the same for the struct ArrowArray.
    let array: ffi::FFI_ArrowArray = unsafe { std::mem::transmute(polars_ffi::export_array_to_c(array)) };
    // SAFETY: polars made both just now, and the schema says the type of the array.
    let data = unsafe { ffi::from_ffi(array, &schema) };
    data.map(make_array).map_err(|error| polars_error(&error))
}

fn polars_error(error: &arrow_schema::ArrowError) -> polars::prelude::PolarsError {
    polars::prelude::PolarsError::ComputeError(error.to_string().into())
}
