//! The fields of a schema that are columns, and their arrays in types that all of clickpath reads.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, BinaryViewArray, DictionaryArray, Int32Array, RecordBatch, make_array};
use arrow_array::{TimestampMillisecondArray, downcast_integer_array};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema};

/// A field that is a column.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The names on the way to it, with points between them.
    pub name: String,
    /// The number of its outermost field in the schema.
    pub root: usize,
    /// The places on the way from there, each among the children of a struct.
    pub way: Vec<usize>,
}

/// All columns of a schema.
pub fn leaves(schema: &Schema) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for (root, field) in schema.fields().iter().enumerate() {
        collect(field, Leaf { name: field.name().clone(), root, way: Vec::new() }, &mut leaves);
    }
    leaves
}

fn collect(field: &Field, leaf: Leaf, leaves: &mut Vec<Leaf>) {
    match field.data_type() {
        DataType::Struct(children) => {
            for (place, child) in children.iter().enumerate() {
                let way = [&leaf.way[..], &[place]].concat();
                collect(child, Leaf { name: format!("{}.{}", leaf.name, child.name()), root: leaf.root, way }, leaves);
            }
        }
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::FixedSizeList(..)
        | DataType::Map(..)
        | DataType::Union(..) => {}
        _ => leaves.push(leaf),
    }
}

impl Leaf {
    /// Its values in `batch`, which has the fields `roots` of the schema.
    pub fn values(&self, batch: &RecordBatch, roots: &[usize]) -> Option<ArrayRef> {
        let place = roots.binary_search(&self.root).ok()?;
        let array = self.way.iter().try_fold(Arc::clone(batch.columns().get(place)?), |array, place| {
            let group = array.as_struct_opt()?;
            let child = group.columns().get(*place)?;
            // A child may have a value where the struct has none.
            let nulls = NullBuffer::union(group.nulls(), child.nulls());
            masked(child, nulls)
        })?;
        plain(&array)
    }
}

fn masked(array: &ArrayRef, nulls: Option<NullBuffer>) -> Option<ArrayRef> {
    // A null column has no bits for it.
    if *array.data_type() == DataType::Null {
        return Some(Arc::clone(array));
    }
    array.to_data().into_builder().nulls(nulls).build().ok().map(make_array)
}

/// The same values in a type that is read everywhere, where that is cheap.
fn plain(array: &ArrayRef) -> Option<ArrayRef> {
    Some(match array.data_type() {
        DataType::Binary => Arc::new(BinaryViewArray::from(array.as_binary::<i32>())),
        DataType::LargeBinary => Arc::new(BinaryViewArray::from(array.as_binary::<i64>())),
        DataType::Date64 => {
            let days = array.as_primitive::<Date64Type>();
            Arc::new(TimestampMillisecondArray::new(days.values().clone(), days.nulls().cloned()))
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary_opt()?;
            let values = plain(dictionary.values())?;
            Arc::new(DictionaryArray::<Int32Type>::try_new(int32(dictionary.keys())?, values).ok()?)
        }
        _ => Arc::clone(array),
    })
}

/// The keys of a dictionary, which has fewer values than 2^31.
#[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions, reason = "one line for all widths")]
fn int32(keys: &dyn Array) -> Option<Int32Array> {
    if let Some(keys) = keys.as_primitive_opt::<Int32Type>() {
        return Some(keys.clone());
    }
    // What stands where there is no key means nothing.
    downcast_integer_array! {
        keys => Some(Int32Array::from_unary(keys, |key| i32::try_from(key).unwrap_or_default())),
        _ => None
    }
}
