// The table of rag/vectors/milvus_abi.h. Every reply is checked for its shape before it is handed on: as many scores as
// ids, as many values as rows.
//
// prepare() may be called for a server that is just starting, or by several writers at once. It therefore looks for
// what it needs after an attempt to create it failed, and waits until the collection is loaded: a partition that is
// created later is loaded with it.
//
// A server that was started again may serve a collection only after it has loaded it, and some load none by themselves.
// A call that reads is therefore repeated within its time: when_loaded().
#include <google/protobuf/stubs/common.h>

#include <thread>
#include <utility>

#include "calls.h"

struct frugal_milvus_connection {
  frugal_milvus::Channel channel;
  // What the last call returned.
  frugal_milvus::proto::SearchResults found;
  frugal_milvus::proto::QueryResults rows;
  frugal_milvus::proto::ShowPartitionsResponse partitions;
  std::vector<const char*> names;
};

namespace frugal_milvus {
namespace {

constexpr const char *kId = "id", *kVector = "vector", *kScale = "scale", *kChecksum = "checksum";
constexpr int32_t kLoaded = 3;
constexpr auto kPoll = std::chrono::milliseconds(50);

template <typename Body>
int32_t guarded(const Body& body) noexcept {
  return frugal_plugins::guard(FRUGAL_MILVUS_REFUSED, body);
}

[[noreturn]] void refuse(const char* why) {
  throw Failure(FRUGAL_MILVUS_REFUSED, why);
}

template <typename Request>
Request in_collection(const frugal_milvus_place& place) {
  Request request;
  request.set_db_name(place.database);
  request.set_collection_name(place.collection);
  return request;
}

template <typename Request>
Request in_partition(const frugal_milvus_place& place) {
  auto request = in_collection<Request>(place);
  request.set_partition_name(place.partition);
  return request;
}

void add_pair(google::protobuf::RepeatedPtrField<proto::KeyValuePair>& pairs, const char* key,
              const std::string& value) {
  proto::KeyValuePair& pair = *pairs.Add();
  pair.set_key(key);
  pair.set_value(value);
}

// --- prepare ---

void prepare_database(Channel& channel, const std::string& name, Deadline deadline) {
  if (name.empty()) return;
  const auto all = channel.call(&Stub::ListDatabases, proto::ListDatabasesRequest(), deadline, "listing databases");
  for (const std::string& each : all.db_names())
    if (each == name) return;
  proto::CreateDatabaseRequest request;
  request.set_db_name(name);
  channel.call(&Stub::CreateDatabase, request, deadline, "creating a database");
}

bool has_collection(Channel& channel, const frugal_milvus_place& place, Deadline deadline) {
  const auto request = in_collection<proto::CollectionRequest>(place);
  try {
    return channel.call(&Stub::HasCollection, request, deadline, "looking for the collection").value();
  } catch (const Failure& failure) {
    if (failure.status != FRUGAL_MILVUS_NO_PARTITION) throw;
    return false;
  }
}

void create_collection(Channel& channel, const frugal_milvus_place& place, int64_t dimension, Deadline deadline) {
  proto::CollectionSchema schema;
  schema.set_name(place.collection);
  schema.set_description("rows of vectors of frugal's indexes, a partition for each");
  const auto add = [&](const char* name, proto::DataType type) -> proto::FieldSchema& {
    proto::FieldSchema& field = *schema.add_fields();
    field.set_name(name);
    field.set_data_type(type);
    return field;
  };
  add(kId, proto::Int64).set_is_primary_key(true);
  add_pair(*add(kVector, proto::FloatVector).mutable_type_params(), "dim", std::to_string(dimension));
  add(kScale, proto::Float);
  add(kChecksum, proto::Int64);
  auto request = in_collection<proto::CreateCollectionRequest>(place);
  request.set_schema(schema.SerializeAsString());
  request.set_shards_num(1);
  channel.call(&Stub::CreateCollection, request, deadline, "creating the collection");
}

void create_index(Channel& channel, const frugal_milvus_place& place, const frugal_milvus_layout& layout,
                  Deadline deadline) {
  auto request = in_collection<proto::CreateIndexRequest>(place);
  request.set_field_name(kVector);
  request.set_index_name(kVector);
  add_pair(*request.mutable_extra_params(), "index_type", layout.index_type);
  add_pair(*request.mutable_extra_params(), "metric_type", "IP");
  add_pair(*request.mutable_extra_params(), "params", layout.index_parameters);
  channel.call(&Stub::CreateIndex, request, deadline, "creating the index of the collection");
}

// Another writer may create the same collection at this moment.
void prepare_collection(Channel& channel, const frugal_milvus_place& place, const frugal_milvus_layout& layout,
                        Deadline deadline) {
  if (!has_collection(channel, place, deadline)) {
    try {
      create_collection(channel, place, layout.dimension, deadline);
    } catch (const Failure&) {
      if (!has_collection(channel, place, deadline)) throw;
    }
  }
}

bool is_loaded(Channel& channel, const frugal_milvus_place& place, Deadline deadline) {
  proto::GetLoadStateRequest request = in_collection<proto::GetLoadStateRequest>(place);
  return channel.call(&Stub::GetLoadState, request, deadline, "looking whether the collection is loaded").state() ==
         kLoaded;
}

void load(Channel& channel, const frugal_milvus_place& place, Deadline deadline) {
  if (is_loaded(channel, place, deadline)) return;
  channel.call(&Stub::LoadCollection, in_collection<proto::CollectionRequest>(place), deadline,
               "loading the collection");
  while (!is_loaded(channel, place, deadline)) std::this_thread::sleep_for(kPoll);
}

template <typename Call>
auto when_loaded(Channel& channel, const frugal_milvus_place& place, Deadline deadline, const Call& call) {
  for (;;) {
    try {
      return call();
    } catch (const Failure& failure) {
      if (failure.status != FRUGAL_MILVUS_AWAY) throw;
      load(channel, place, deadline);
    }
    std::this_thread::sleep_for(kPoll);
  }
}

bool has_partition(Channel& channel, const frugal_milvus_place& place, Deadline deadline) {
  const auto request = in_partition<proto::PartitionRequest>(place);
  return channel.call(&Stub::HasPartition, request, deadline, "looking for the partition").value();
}

void prepare_partition(Channel& channel, const frugal_milvus_place& place, Deadline deadline) {
  if (has_partition(channel, place, deadline)) return;
  channel.call(&Stub::CreatePartition, in_partition<proto::PartitionRequest>(place), deadline,
               "creating the partition");
}

// --- rows ---

proto::FieldData& add_field(proto::InsertRequest& request, const char* name, proto::DataType type) {
  proto::FieldData& field = *request.add_fields_data();
  field.set_field_name(name);
  field.set_type(type);
  return field;
}

proto::InsertRequest insert_request(const frugal_milvus_place& place, const frugal_milvus_rows& rows) {
  auto request = in_partition<proto::InsertRequest>(place);
  request.set_num_rows(static_cast<uint32_t>(rows.count));
  const auto fill = [](auto& data, const auto* values, uint64_t count) { data.Add(values, values + count); };
  auto& ids = *add_field(request, kId, proto::Int64).mutable_scalars()->mutable_long_data()->mutable_data();
  fill(ids, rows.ids, rows.count);
  proto::VectorField& vectors = *add_field(request, kVector, proto::FloatVector).mutable_vectors();
  vectors.set_dim(rows.dimension);
  fill(*vectors.mutable_float_vector()->mutable_data(), rows.vectors,
       rows.count * static_cast<uint64_t>(rows.dimension));
  auto& scales = *add_field(request, kScale, proto::Float).mutable_scalars()->mutable_float_data()->mutable_data();
  fill(scales, rows.scales, rows.count);
  auto& sums = *add_field(request, kChecksum, proto::Int64).mutable_scalars()->mutable_long_data()->mutable_data();
  fill(sums, rows.checksums, rows.count);
  return request;
}

using Fields = google::protobuf::RepeatedPtrField<proto::FieldData>;

const proto::FieldData& field_of(const Fields& fields, const char* name) {
  for (const proto::FieldData& field : fields)
    if (field.field_name() == name) return field;
  refuse("the reply lacks a field");
}

// Empty replies of some servers have no fields at all.
frugal_milvus_rows rows_of(const proto::QueryResults& results, int64_t dimension) {
  const Fields& fields = results.fields_data();
  if (fields.empty()) return {};
  const auto& ids = field_of(fields, kId).scalars().long_data().data();
  const auto& vectors = field_of(fields, kVector).vectors().float_vector().data();
  const auto& scales = field_of(fields, kScale).scalars().float_data().data();
  const auto& sums = field_of(fields, kChecksum).scalars().long_data().data();
  const int count = ids.size();
  if (scales.size() != count || sums.size() != count || vectors.size() != count * dimension)
    refuse("the fields of the reply differ in length");
  return {ids.data(), vectors.data(), scales.data(), sums.data(), static_cast<uint64_t>(count), dimension};
}

frugal_milvus_hits hits_of(const proto::SearchResultData& data, int64_t limit) {
  const auto& ids = data.ids().int_id().data();
  if (ids.empty()) return {};
  const auto& scales = field_of(data.fields_data(), kScale).scalars().float_data().data();
  if (ids.size() != data.scores_size() || ids.size() != scales.size() || ids.size() > limit)
    refuse("searching: ids, scores and scales of the reply differ in number");
  return {ids.data(), data.scores().data(), scales.data(), static_cast<uint64_t>(ids.size())};
}

std::string placeholder(const frugal_milvus_search& search) {
  proto::PlaceholderGroup group;
  proto::PlaceholderValue& value = *group.add_placeholders();
  value.set_tag("$0");
  value.set_type(proto::FloatVector);
  value.add_values(search.query, static_cast<size_t>(search.dimension) * sizeof(float));
  return group.SerializeAsString();
}

proto::SearchRequest search_request(const frugal_milvus_place& place, const frugal_milvus_view& view,
                                    const frugal_milvus_search& search) {
  auto request = in_collection<proto::SearchRequest>(place);
  request.add_partition_names(place.partition);
  request.set_dsl(search.filter);
  request.set_dsl_type(1);
  request.add_output_fields(kScale);
  request.set_placeholder_group(placeholder(search));
  request.set_nq(1);
  request.set_consistency_level(view.consistency);
  request.set_guarantee_timestamp(view.stamp);
  auto& parameters = *request.mutable_search_params();
  add_pair(parameters, "anns_field", kVector);
  add_pair(parameters, "metric_type", "IP");
  add_pair(parameters, "topk", std::to_string(search.limit));
  add_pair(parameters, "params", search.parameters);
  add_pair(parameters, "round_decimal", "-1");
  return request;
}

}  // namespace

// --- the table ---

namespace {

const char* error_text() {
  return frugal_plugins::t_error;
}

int32_t connect(const frugal_milvus_server* server, frugal_milvus_connection** connection) {
  return guarded([&] { *connection = new frugal_milvus_connection{Channel(*server), {}, {}, {}, {}}; });
}

int32_t prepare(frugal_milvus_connection* connection, const frugal_milvus_place* place,
                const frugal_milvus_layout* layout, int32_t timeout_ms) {
  return guarded([&] {
    const Deadline deadline = after(timeout_ms);
    Channel& channel = connection->channel;
    prepare_database(channel, place->database, deadline);
    prepare_collection(channel, *place, *layout, deadline);
    if (!is_loaded(channel, *place, deadline)) create_index(channel, *place, *layout, deadline);  // it may exist
    load(channel, *place, deadline);
    prepare_partition(channel, *place, deadline);
  });
}

int32_t insert(frugal_milvus_connection* connection, const frugal_milvus_place* place, const frugal_milvus_rows* rows,
               int32_t timeout_ms, uint64_t* stamp) {
  return guarded([&] {
    const proto::MutationResult result =
        connection->channel.call(&Stub::Insert, insert_request(*place, *rows), after(timeout_ms), "inserting rows");
    if (result.insert_cnt() != static_cast<int64_t>(rows->count)) refuse("inserting rows: the server left some out");
    *stamp = result.timestamp();
  });
}

int32_t search(frugal_milvus_connection* connection, const frugal_milvus_place* place, const frugal_milvus_view* view,
               const frugal_milvus_search* search, int32_t timeout_ms, frugal_milvus_hits* hits) {
  return guarded([&] {
    const Deadline deadline = after(timeout_ms);
    const proto::SearchRequest request = search_request(*place, *view, *search);
    connection->found = when_loaded(connection->channel, *place, deadline, [&] {
      return connection->channel.call(&Stub::Search, request, deadline, "searching");
    });
    *hits = hits_of(connection->found.results(), search->limit);
  });
}

int32_t read(frugal_milvus_connection* connection, const frugal_milvus_place* place, const frugal_milvus_view* view,
             const char* filter, int64_t dimension, int32_t timeout_ms, frugal_milvus_rows* rows) {
  return guarded([&] {
    auto request = in_collection<proto::QueryRequest>(*place);
    request.add_partition_names(place->partition);
    request.set_expr(filter);
    request.set_consistency_level(view->consistency);
    request.set_guarantee_timestamp(view->stamp);
    for (const char* field : {kId, kVector, kScale, kChecksum}) request.add_output_fields(field);
    const Deadline deadline = after(timeout_ms);
    connection->rows = when_loaded(connection->channel, *place, deadline, [&] {
      return connection->channel.call(&Stub::Query, request, deadline, "reading rows");
    });
    *rows = rows_of(connection->rows, dimension);
  });
}

int32_t erase(frugal_milvus_connection* connection, const frugal_milvus_place* place, const char* filter,
              int32_t timeout_ms) {
  return guarded([&] {
    auto request = in_partition<proto::DeleteRequest>(*place);
    request.set_expr(filter);
    request.set_consistency_level(FRUGAL_MILVUS_STRONG);
    connection->channel.call(&Stub::Delete, request, after(timeout_ms), "deleting rows");
  });
}

int32_t list(frugal_milvus_connection* connection, const frugal_milvus_place* place, int32_t timeout_ms,
             frugal_milvus_names* names) {
  return guarded([&] {
    connection->names.clear();
    connection->partitions.Clear();
    const Deadline deadline = after(timeout_ms);
    if (has_collection(connection->channel, *place, deadline))
      connection->partitions = connection->channel.call(
          &Stub::ShowPartitions, in_collection<proto::CollectionRequest>(*place), deadline, "listing partitions");
    const auto& all = connection->partitions.partition_names();
    connection->names.reserve(static_cast<size_t>(all.size()));
    for (const std::string& name : all) connection->names.push_back(name.c_str());
    *names = {connection->names.data(), connection->names.size()};
  });
}

// Milvus drops no partition that is loaded; Milvus Lite knows no such state, and refuses to end it.
int32_t drop(frugal_milvus_connection* connection, const frugal_milvus_place* place, int32_t timeout_ms) {
  return guarded([&] {
    const Deadline deadline = after(timeout_ms);
    auto release = in_collection<proto::ReleasePartitionsRequest>(*place);
    release.add_partition_names(place->partition);
    try {
      connection->channel.call(&Stub::ReleasePartitions, release, deadline, "releasing the partition");
    } catch (const Failure& failure) {
      if (failure.status != FRUGAL_MILVUS_REFUSED) throw;
    }
    connection->channel.call(&Stub::DropPartition, in_partition<proto::PartitionRequest>(*place), deadline,
                             "dropping the partition");
  });
}

int32_t flush(frugal_milvus_connection* connection, const frugal_milvus_place* place, int32_t timeout_ms) {
  return guarded([&] {
    proto::FlushRequest request;
    request.set_db_name(place->database);
    request.add_collection_names(place->collection);
    connection->channel.call(&Stub::Flush, request, after(timeout_ms), "flushing the collection");
  });
}

void close(frugal_milvus_connection* connection) {
  delete connection;
}

constexpr frugal_milvus_table kTable = {FRUGAL_MILVUS_ABI,
                                        sizeof(frugal_milvus_table),
                                        error_text,
                                        connect,
                                        prepare,
                                        insert,
                                        search,
                                        read,
                                        erase,
                                        list,
                                        drop,
                                        flush,
                                        close};

}  // namespace
}  // namespace frugal_milvus

extern "C" __attribute__((visibility("default"))) const frugal_milvus_table* frugal_milvus_query(uint32_t host_abi) {
  return host_abi == FRUGAL_MILVUS_ABI ? &frugal_milvus::kTable : nullptr;
}
