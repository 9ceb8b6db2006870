#include "tests/fuzz/scalar_sites.h"

#include <bit>
#include <cstring>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "model_reflected_generated.h"

namespace whit {
namespace {

using flatbuffers::ElementaryType;
using flatbuffers::TypeTable;

struct Site {
  uint8_t* at;
  ElementaryType type;
  size_t enumerators;  // 0: no enumeration
};

// A field of a table, or the lengths of a vector field.
using Field = std::pair<const TypeTable*, size_t>;

class Walker {
 public:
  explicit Walker(std::map<Field, std::vector<Site>>* sites) : sites_(*sites) {}

  void Table(uint8_t* object, const TypeTable* type) {
    auto* table = reinterpret_cast<flatbuffers::Table*>(object);
    const uint8_t* before = nullptr;  // a union's type is the field before it
    for (size_t i = 0; i < type->num_elems; ++i) {
      const auto offset = flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(i));
      uint8_t* value = table->GetAddressOf(offset);
      const uint8_t* union_type = std::exchange(before, value);
      if (value == nullptr) continue;
      const flatbuffers::TypeCode code = type->type_codes[i];
      const TypeTable* of = code.sequence_ref < 0 ? nullptr : type->type_refs[code.sequence_ref]();
      const auto base = static_cast<ElementaryType>(code.base_type);
      if (code.is_repeating == 0) {
        Value({type, 2 * i}, value, base, of, union_type);
        continue;
      }
      value += flatbuffers::ReadScalar<flatbuffers::uoffset_t>(value);
      sites_[{type, 2 * i + 1}].push_back({value, flatbuffers::ET_UINT, 0});
      const size_t count = flatbuffers::ReadScalar<flatbuffers::uoffset_t>(value);
      const size_t step = base == flatbuffers::ET_SEQUENCE || base == flatbuffers::ET_STRING
                              ? sizeof(flatbuffers::uoffset_t)
                              : SizeOf(base);
      value += sizeof(flatbuffers::uoffset_t);
      for (size_t k = 0; k < count; ++k) Value({type, 2 * i}, value + k * step, base, of, nullptr);
    }
  }

  static size_t SizeOf(ElementaryType type) {
    switch (type) {
      case flatbuffers::ET_SHORT:
      case flatbuffers::ET_USHORT:
        return 2;
      case flatbuffers::ET_INT:
      case flatbuffers::ET_UINT:
      case flatbuffers::ET_FLOAT:
        return 4;
      case flatbuffers::ET_LONG:
      case flatbuffers::ET_ULONG:
      case flatbuffers::ET_DOUBLE:
        return 8;
      default:
        return 1;
    }
  }

 private:
  void Value(const Field& field, uint8_t* value, ElementaryType base, const TypeTable* of,
             const uint8_t* union_type) {
    if (base == flatbuffers::ET_STRING) return;
    if (base != flatbuffers::ET_SEQUENCE) {
      sites_[field].push_back({value, base, of == nullptr ? 0 : of->num_elems});
      return;
    }
    uint8_t* object = value + flatbuffers::ReadScalar<flatbuffers::uoffset_t>(value);
    if (of->st == flatbuffers::ST_TABLE) Table(object, of);
    if (of->st != flatbuffers::ST_UNION || union_type == nullptr || *union_type >= of->num_elems)
      return;
    const flatbuffers::TypeCode member = of->type_codes[*union_type];
    if (member.sequence_ref >= 0) Table(object, of->type_refs[member.sequence_ref]());
  }

  std::map<Field, std::vector<Site>>& sites_;
};

class ScalarMutator {
 public:
  explicit ScalarMutator(std::mt19937_64* rng) : rng_(*rng) {}

  void Mutate(const Site& site, const Site& other) {
    switch (site.type) {
      case flatbuffers::ET_FLOAT:
        return Write(site.at, Real(Read<float>(site.at)));
      case flatbuffers::ET_DOUBLE:
        return Write(site.at, Real(Read<double>(site.at)));
      default:
        break;
    }
    const size_t size = Walker::SizeOf(site.type);
    uint64_t value = 0;
    std::memcpy(&value, (Below(8) == 0 ? other : site).at, size);
    value = site.enumerators > 0 && Below(8) != 0 ? Below(site.enumerators) : Whole(value, size);
    std::memcpy(site.at, &value, size);
  }

 private:
  uint64_t Below(uint64_t n) { return n == 0 ? 0 : rng_() % n; }
  template <typename T>
  static T Read(const uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  template <typename T>
  static void Write(uint8_t* at, T value) {
    std::memcpy(at, &value, sizeof value);
  }

  uint64_t Whole(uint64_t value, size_t size) {
    const uint64_t sign = uint64_t{1} << (8 * size - 1);
    switch (Below(12)) {
      case 0:
        return 0;
      case 1:
        return UINT64_MAX;  // -1
      case 2:
        return sign;
      case 3:
        return sign - 1;
      case 4:
        return value * 2;
      case 5:
        return value / 2;
      case 6:
        return uint64_t{1} << Below(8 * size);
      case 7:
        return value + (uint64_t{1} << Below(8 * size));
      case 8:
        return value + 1;
      case 9:
        return value - 1;
      default:
        return Below(20);
    }
  }

  template <typename T>
  T Real(T value) {
    using Limits = std::numeric_limits<T>;
    const T fixed[] = {0,
                       -T{0},
                       1,
                       -1,
                       Limits::infinity(),
                       -Limits::infinity(),
                       Limits::quiet_NaN(),
                       Limits::max(),
                       Limits::lowest(),
                       Limits::min(),
                       Limits::denorm_min(),
                       -value,
                       value * T{1e10f},
                       value * T{1e-10f},
                       value * 2,
                       static_cast<T>(Below(256))};
    return fixed[Below(std::size(fixed))];
  }

  std::mt19937_64& rng_;
};

}  // namespace

void MutateScalars(std::span<uint8_t> graph, size_t count, std::mt19937_64* rng) {
  if (count == 0) return;
  std::map<Field, std::vector<Site>> found;
  Walker walker(&found);
  walker.Table(const_cast<uint8_t*>(flatbuffers::GetRoot<uint8_t>(graph.data())),
               reflected::ModelTypeTable());
  // In the order of the graph: that of the map is the linker's, and seeds must repeat.
  std::map<const uint8_t*, const std::vector<Site>*> ordered;
  for (const auto& [field, sites] : found)
    if (!sites.empty()) ordered.emplace(sites[0].at, &sites);
  std::vector<const std::vector<Site>*> fields;
  for (const auto& [at, sites] : ordered) fields.push_back(sites);
  ScalarMutator mutator(rng);
  for (; count > 0; --count) {
    const std::vector<Site>& sites = *fields[(*rng)() % fields.size()];
    mutator.Mutate(sites[(*rng)() % sites.size()], sites[(*rng)() % sites.size()]);
  }
}

}  // namespace whit
