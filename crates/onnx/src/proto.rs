//! ONNX's messages (onnx.proto, IR version 13), with the fields that are read.

use bytes::Bytes;
use prost::Message;

/// A model.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// Version of the format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// Versions of the operators, a domain each.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// What wrote it.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// What is computed.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// What it says about itself.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// Operators of its own.
    #[prost(message, repeated, tag = "25")]
    pub functions: Vec<FunctionProto>,
}

/// A domain's version.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct OperatorSetIdProto {
    /// The domain.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Its version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A key and a value.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct StringStringEntryProto {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// An operator that a model defines.
#[derive(Clone, PartialEq, Message)]
pub struct FunctionProto {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The names of its operands.
    #[prost(string, repeated, tag = "4")]
    pub input: Vec<String>,
    /// The names of its results.
    #[prost(string, repeated, tag = "5")]
    pub output: Vec<String>,
    /// The attributes that a caller must give.
    #[prost(string, repeated, tag = "6")]
    pub attribute: Vec<String>,
    /// Those with defaults.
    #[prost(message, repeated, tag = "11")]
    pub attribute_proto: Vec<AttributeProto>,
    /// Its body.
    #[prost(message, repeated, tag = "7")]
    pub node: Vec<NodeProto>,
    /// Versions of the operators in its body.
    #[prost(message, repeated, tag = "9")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Its domain.
    #[prost(string, tag = "10")]
    pub domain: String,
    /// Which of several of its name.
    #[prost(string, tag = "13")]
    pub overload: String,
}

/// Nodes that compute outputs of inputs.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// The nodes, each after those whose results it reads.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The weights.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// Sparse weights.
    #[prost(message, repeated, tag = "15")]
    pub sparse_initializer: Vec<SparseTensorProto>,
    /// What it takes.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// What it gives.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
}

/// An operator with its operands and results, by name.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// The operands; empty where one is left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// The results; empty where one is left out.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Its attributes.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// The operator's domain.
    #[prost(string, tag = "7")]
    pub domain: String,
    /// Which of several functions of this name.
    #[prost(string, tag = "8")]
    pub overload: String,
}

/// An attribute: one of its fields, by its type.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// In a function's body: the caller's attribute that it is.
    #[prost(string, tag = "21")]
    pub ref_attr_name: String,
    /// Which field holds it.
    #[prost(int32, tag = "20")]
    pub r#type: i32,
    /// 1: a float.
    #[prost(float, tag = "2")]
    pub f: f32,
    /// 2: an integer.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// 3: a string.
    #[prost(bytes = "bytes", tag = "4")]
    pub s: Bytes,
    /// 4: a tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// 5: a graph.
    #[prost(message, optional, tag = "6")]
    pub g: Option<GraphProto>,
    /// 11: a sparse tensor.
    #[prost(message, optional, tag = "22")]
    pub sparse_tensor: Option<SparseTensorProto>,
    /// 6: floats.
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    /// 7: integers.
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    /// 8: strings.
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub strings: Vec<Bytes>,
    /// 9: tensors.
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<TensorProto>,
    /// 10: graphs.
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<GraphProto>,
}

/// A tensor: in one of its fields, by its type.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// Its lengths.
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    /// Its element type.
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Floats.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Integers of up to 32 bits, and the bits of 16-bit floats.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Strings.
    #[prost(bytes = "bytes", repeated, tag = "6")]
    pub string_data: Vec<Bytes>,
    /// 64-bit integers.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// The elements' bytes, little endian.
    #[prost(bytes = "bytes", tag = "9")]
    pub raw_data: Bytes,
    /// 64-bit floats.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// Unsigned integers.
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    /// Where the elements are, when they are in a file of their own.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// 1 when they are.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// A tensor of few elements that are not 0.
#[derive(Clone, PartialEq, Message)]
pub struct SparseTensorProto {
    /// These elements.
    #[prost(message, optional, tag = "1")]
    pub values: Option<TensorProto>,
    /// Their places: one number each, or one for each axis.
    #[prost(message, optional, tag = "2")]
    pub indices: Option<TensorProto>,
    /// Its lengths.
    #[prost(int64, repeated, tag = "3")]
    pub dims: Vec<i64>,
}

/// A value's name and type.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// The type of a value.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// A tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
    /// A sequence, which the engine does not have.
    #[prost(message, optional, tag = "4")]
    pub sequence_type: Option<OtherTypeProto>,
    /// A map, which it does not have either.
    #[prost(message, optional, tag = "5")]
    pub map_type: Option<OtherTypeProto>,
    /// Something that may be missing, neither.
    #[prost(message, optional, tag = "9")]
    pub optional_type: Option<OtherTypeProto>,
}

/// A type whose parts are not read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct OtherTypeProto {}

/// A tensor's type.
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    /// Its element type.
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Its lengths.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A tensor's lengths.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// One for each axis.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// A length: a number, a name, or neither.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct DimensionProto {
    /// The number.
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    /// The name.
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}
