#include "probes/checkpoint/pickle/pickle.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "base/utf8.h"
#include "probes/checkpoint/pickle/input.h"
#include "probes/checkpoint/pickle/opcodes.h"

namespace couplingd {
namespace {

constexpr std::size_t kMemoSlack = 4096;  // picklers number their memo without gaps
constexpr int kHighestProtocol = 5;

}  // namespace

class PickleInterpreter {
 public:
  PickleInterpreter(std::shared_ptr<const std::string> text, std::size_t begin,
                    std::string_view source, const PickleLimits& limits)
      : limits_(limits), input_(*text, begin, source, limits.max_string) {
    document_.text_ = std::move(text);
  }

  Result<PickleDocument> Run() {
    while (true) {
      const auto opcode = static_cast<PickleOpcode>(TRY(input_.Opcode()));
      if (opcode == PickleOpcode::kStop) break;
      TRY(Execute(opcode));
    }
    document_.root_ = TRY(Pop());
    if (!stack_.empty() || !marks_.empty()) return Wrong("it ends with values left on its stack");
    document_.end_ = input_.at();
    return std::move(document_);
  }

 private:
  std::unexpected<Error> Wrong(std::string_view cause) const { return input_.Wrong(cause); }
  Result<std::uint64_t> Number(std::size_t size) { return input_.Number(size); }
  Result<std::string_view> Sized(std::size_t width) { return input_.Sized(width); }

  // Building.

  Status Charge(std::size_t bytes) {
    memory_ += bytes;
    if (memory_ <= limits_.max_memory) return {};
    return Wrong(fmt::format("it would take more than {} bytes of memory", limits_.max_memory));
  }

  Result<PickleValue*> Make(PickleKind kind) {
    TRY(Charge(sizeof(PickleValue)));
    PickleValue& value = document_.values_.emplace_back();
    value.kind = kind;
    return &value;
  }

  Status Push(PickleValue* value) {
    TRY(Charge(sizeof(PickleValue*)));
    stack_.push_back(value);
    return {};
  }

  Status PushNew(PickleKind kind, std::int64_t integer = 0) {
    PickleValue* value = TRY(Make(kind));
    value->integer = integer;
    return Push(value);
  }

  Status PushText(PickleKind kind, std::string_view text) {
    if (kind == PickleKind::kString && !IsValidUtf8(text)) return Wrong("a string is not UTF-8");
    PickleValue* value = TRY(Make(kind));
    value->text = text;
    return Push(value);
  }

  Status PushLong(std::string_view bytes) {
    if (bytes.size() > 8) return PushText(PickleKind::kLong, bytes);
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(bytes[i]);
    }
    const std::size_t unused = 64 - 8 * bytes.size();
    const bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
    if (negative && unused > 0) value |= ~std::uint64_t{0} << (64 - unused);
    return PushNew(PickleKind::kInt, static_cast<std::int64_t>(value));
  }

  std::size_t Floor() const { return marks_.empty() ? 0 : marks_.back(); }

  Result<PickleValue*> Pop() {
    if (stack_.size() <= Floor()) return Wrong("an opcode needs a value that is not on the stack");
    PickleValue* value = stack_.back();
    stack_.pop_back();
    return value;
  }

  Result<PickleValue*> Top() {
    PickleValue* value = TRY(Pop());
    stack_.push_back(value);
    return value;
  }

  // What lies above the last mark, which goes.
  Result<std::vector<PickleRef>> PopToMark() {
    if (marks_.empty()) return Wrong("an opcode needs a mark that is not there");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleRef> values(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    TRY(Charge(values.size() * sizeof(PickleRef)));
    return values;
  }

  Status PushSequence(PickleKind kind, std::vector<PickleRef> elements) {
    PickleValue* value = TRY(Make(kind));
    value->elements = std::move(elements);
    return Push(value);
  }

  Status PushTuple(std::size_t size) {
    TRY(Charge(size * sizeof(PickleRef)));
    std::vector<PickleRef> elements(size);
    for (std::size_t i = size; i-- > 0;) elements[i] = TRY(Pop());
    return PushSequence(PickleKind::kTuple, std::move(elements));
  }

  Status Extend(const std::vector<PickleRef>& elements) {
    PickleValue* list = TRY(Top());
    if (!list->Is(PickleKind::kList) && !list->Is(PickleKind::kSet) &&
        !list->Is(PickleKind::kObject)) {
      return Wrong("elements are added to what is no list");
    }
    list->elements.insert(list->elements.end(), elements.begin(), elements.end());
    return Charge(elements.size() * 2 * sizeof(PickleRef));
  }

  Status Insert(const std::vector<PickleRef>& flat) {
    PickleValue* mapping = TRY(Top());
    if (!mapping->Is(PickleKind::kDict) && !mapping->Is(PickleKind::kObject)) {
      return Wrong("items are set in what is no dictionary");
    }
    if (flat.size() % 2 != 0) return Wrong("a key without a value");
    for (std::size_t i = 0; i < flat.size(); i += 2) {
      mapping->items.emplace_back(flat[i], flat[i + 1]);
    }
    return Charge(flat.size() * 2 * sizeof(PickleRef));
  }

  Status Store(std::uint64_t index) {
    PickleValue* value = TRY(Top());
    if (index >= memo_.size() + kMemoSlack) return Wrong(fmt::format("memo entry {}", index));
    if (index >= memo_.size()) {
      TRY(Charge((index + 1 - memo_.size()) * 2 * sizeof(PickleValue*)));
      memo_.resize(index + 1);
    }
    memo_[index] = value;
    return {};
  }

  Status Load(std::uint64_t index) {
    if (index >= memo_.size() || !memo_[index]) {
      return Wrong(fmt::format("memo entry {} was never stored", index));
    }
    return Push(memo_[index]);
  }

  Status PushGlobal(std::string_view module, std::string_view name) {
    PickleValue* value = TRY(Make(PickleKind::kGlobal));
    value->text = module;
    value->name = name;
    return Push(value);
  }

  Status PushStackGlobal() {
    const PickleRef name = TRY(Pop());
    const PickleRef module = TRY(Pop());
    if (!name->Is(PickleKind::kString) || !module->Is(PickleKind::kString)) {
      return Wrong("a global whose names are no strings");
    }
    return PushGlobal(module->text, name->text);
  }

  // The pairs of an OrderedDict's only argument.
  Status TakePairs(PickleRef pairs, PickleValue& dict) {
    for (const PickleRef pair : pairs->elements) {
      if (pair->elements.size() != 2) return Wrong("an OrderedDict of what are no pairs");
      dict.items.emplace_back(pair->elements[0], pair->elements[1]);
    }
    return Charge(pairs->elements.size() * 4 * sizeof(PickleRef));
  }

  // REDUCE and NEWOBJ: containers become containers, everything else stays a record.
  Status PushMade(PickleRef callable, PickleRef arguments) {
    if (!arguments->Is(PickleKind::kTuple)) return Wrong("arguments that are no tuple");
    const bool is_builtin = callable->Is(PickleKind::kGlobal) &&
                            (callable->text == "builtins" || callable->text == "__builtin__");
    if (IsGlobal(callable, "collections", "OrderedDict")) {
      PickleValue* dict = TRY(Make(PickleKind::kDict));
      if (!arguments->elements.empty()) TRY(TakePairs(arguments->elements[0], *dict));
      return Push(dict);
    }
    if (is_builtin && (callable->name == "set" || callable->name == "frozenset")) {
      const PickleRef given = ElementAt(arguments, 0);
      TRY(Charge(given ? given->elements.size() * sizeof(PickleRef) : 0));
      return PushSequence(PickleKind::kSet, given ? given->elements : std::vector<PickleRef>());
    }
    PickleValue* object = TRY(Make(PickleKind::kObject));
    object->callable = callable;
    object->arguments = arguments;
    return Push(object);
  }

  Status Build() {
    const PickleRef state = TRY(Pop());
    PickleValue* object = TRY(Top());
    if (object->Is(PickleKind::kObject)) object->state = state;
    return {};  // an OrderedDict's attributes (_metadata of a state dictionary) say nothing
  }

  Status PushPersistent() {
    const PickleRef reference = TRY(Pop());
    PickleValue* value = TRY(Make(PickleKind::kPersistent));
    value->arguments = reference;
    TRY(Charge(2 * sizeof(PickleRef)));
    document_.persistent_.push_back(value);
    return Push(value);
  }

  Status PushMark() {
    if (marks_.size() >= limits_.max_marks) {
      return Wrong(fmt::format("nested more than {} deep", limits_.max_marks));
    }
    marks_.push_back(stack_.size());
    return {};
  }

  Status PopOne() {
    if (!marks_.empty() && marks_.back() == stack_.size()) {
      marks_.pop_back();
      return {};
    }
    TRY(Pop());
    return {};
  }

  Status CheckProtocol() {
    const std::uint64_t protocol = TRY(Number(1));
    if (protocol <= kHighestProtocol) return {};
    return Wrong(fmt::format("protocol {}, at most {} is read", protocol, kHighestProtocol));
  }

  Status Execute(PickleOpcode opcode);
  Status ExecuteValue(PickleOpcode opcode);

  PickleLimits limits_;
  PickleInput input_;
  PickleDocument document_;
  std::size_t memory_ = 0;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::vector<PickleValue*> memo_;
};

Status PickleInterpreter::Execute(PickleOpcode opcode) {
  using enum PickleOpcode;
  switch (opcode) {
    case kProto:
      return CheckProtocol();
    case kFrame:
      TRY(Number(8));
      return {};
    case kMark:
      return PushMark();
    case kPop:
      return PopOne();
    case kPopMark:
      TRY(PopToMark());
      return {};
    case kDup:
      return Push(TRY(Top()));
    case kBinPut:
      return Store(TRY(Number(1)));
    case kLongBinPut:
      return Store(TRY(Number(4)));
    case kMemoize:
      return Store(memo_.size());
    case kBinGet:
      return Load(TRY(Number(1)));
    case kLongBinGet:
      return Load(TRY(Number(4)));
    case kAppend:
      return Extend({TRY(Pop())});
    case kAppends:
    case kAddItems:
      return Extend(TRY(PopToMark()));
    case kSetItem: {
      const PickleRef value = TRY(Pop());
      const PickleRef key = TRY(Pop());
      return Insert({key, value});
    }
    case kSetItems:
      return Insert(TRY(PopToMark()));
    case kReduce:
    case kNewObj: {
      const PickleRef arguments = TRY(Pop());
      return PushMade(TRY(Pop()), arguments);
    }
    case kNewObjEx: {
      TRY(Pop());  // keyword arguments
      const PickleRef arguments = TRY(Pop());
      return PushMade(TRY(Pop()), arguments);
    }
    case kBuild:
      return Build();
    case kBinPersId:
      return PushPersistent();
    default:
      return ExecuteValue(opcode);
  }
}

Status PickleInterpreter::ExecuteValue(PickleOpcode opcode) {
  using enum PickleOpcode;
  switch (opcode) {
    case kNone:
      return PushNew(PickleKind::kNone);
    case kNewTrue:
      return PushNew(PickleKind::kBool, 1);
    case kNewFalse:
      return PushNew(PickleKind::kBool, 0);
    case kBinInt:
      return PushNew(PickleKind::kInt, static_cast<std::int32_t>(TRY(Number(4))));
    case kBinInt1:
      return PushNew(PickleKind::kInt, static_cast<std::int64_t>(TRY(Number(1))));
    case kBinInt2:
      return PushNew(PickleKind::kInt, static_cast<std::int64_t>(TRY(Number(2))));
    case kLong1:
      return PushLong(TRY(Sized(1)));
    case kLong4:
      return PushLong(TRY(Sized(4)));
    case kBinFloat: {
      PickleValue* value = TRY(Make(PickleKind::kFloat));
      value->number = std::bit_cast<double>(__builtin_bswap64(TRY(Number(8))));
      return Push(value);
    }
    case kShortBinUnicode:
      return PushText(PickleKind::kString, TRY(Sized(1)));
    case kBinUnicode:
      return PushText(PickleKind::kString, TRY(Sized(4)));
    case kBinUnicode8:
      return PushText(PickleKind::kString, TRY(Sized(8)));
    case kShortBinString:
    case kShortBinBytes:
      return PushText(PickleKind::kBytes, TRY(Sized(1)));
    case kBinString:
    case kBinBytes:
      return PushText(PickleKind::kBytes, TRY(Sized(4)));
    case kBinBytes8:
    case kByteArray8:
      return PushText(PickleKind::kBytes, TRY(Sized(8)));
    case kEmptyTuple:
      return PushTuple(0);
    case kTuple1:
      return PushTuple(1);
    case kTuple2:
      return PushTuple(2);
    case kTuple3:
      return PushTuple(3);
    case kTuple:
      return PushSequence(PickleKind::kTuple, TRY(PopToMark()));
    case kFrozenSet:
      return PushSequence(PickleKind::kSet, TRY(PopToMark()));
    case kEmptyList:
      return PushNew(PickleKind::kList);
    case kEmptyDict:
      return PushNew(PickleKind::kDict);
    case kEmptySet:
      return PushNew(PickleKind::kSet);
    case kGlobal: {
      const std::string_view module = TRY(input_.Line());
      const std::string_view name = TRY(input_.Line());
      return PushGlobal(module, name);
    }
    case kStackGlobal:
      return PushStackGlobal();
    default:
      return Wrong(fmt::format("opcode 0x{:02x} is not one that checkpoints use",
                               static_cast<unsigned>(opcode)));
  }
}

Result<PickleDocument> ParsePickle(std::shared_ptr<const std::string> text, std::size_t begin,
                                   std::string_view source, const PickleLimits& limits) {
  return PickleInterpreter(std::move(text), begin, source, limits).Run();
}

}  // namespace couplingd
