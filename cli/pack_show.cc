#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.h"
#include "cli/commands.h"
#include "cli/pack_rows.h"
#include "cli/screen_text.h"
#include "probes/benchmark/benchmark_size.h"
#include "probes/benchmark/requests.h"
#include "probes/benchmark/sources.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

struct ShowCommand {
  std::string pack, item, task, tokenizer, bos = "auto";
  std::optional<std::size_t> max_length;
  bool json = false;
};

struct Token {
  TokenId id;
  std::string text;
};

// One choice as it goes to the model; without a tokenizer only its texts are known.
struct Choice {
  std::string context, continuation;
  bool is_right = false;
  std::size_t characters = 0;
  bool has_tokens = false;
  bool truncated = false;
  std::size_t scored_from = 0;
  std::vector<Token> tokens;
};

Result<Pack> ChoosePack(const ShowCommand& command) {
  std::vector<Pack> packs = TRY(OpenPacks(command.pack));
  if (command.task.empty()) return std::move(packs[0]);
  const auto found = std::ranges::find(packs, command.task, &Pack::name);
  if (found != packs.end()) return std::move(*found);
  std::vector<std::string> names;
  for (const Pack& pack : packs) names.push_back(pack.name);
  return Fail(ErrorKind::kNotFound,
              fmt::format("{} gives no pack \"{}\"", command.pack, command.task),
              fmt::format("it gives {}", fmt::join(names, ", ")));
}

// By its id, else by its place counted from 0, as lm-eval counts a doc_id.
Result<std::size_t> ChooseItem(const Pack& pack, const std::string& name) {
  if (name.empty()) return std::size_t{0};
  const auto found = std::ranges::find(pack.items, name, &PackItem::id);
  if (found != pack.items.end()) return static_cast<std::size_t>(found - pack.items.begin());
  const auto place = ParseNumber<std::size_t>(name);
  if (place && *place < pack.items.size()) return *place;
  return Fail(ErrorKind::kNotFound, fmt::format("{} has no item \"{}\"", pack.name, name),
              fmt::format("name an id, or a place from 0 to {}", pack.items.size() - 1));
}

Result<EncodeOptions> ReadOptions(const ShowCommand& command, const Tokenizer& tokenizer) {
  EncodeOptions options;
  if (command.bos == "true") options.bos = BosMode::kTrue;
  if (command.bos == "false") options.bos = BosMode::kFalse;
  if (const auto longest = tokenizer.model_max_length(); longest && *longest > 0) {
    options.max_length = static_cast<std::size_t>(*longest);
  }
  options.max_length = command.max_length.value_or(options.max_length);
  return options;
}

Status AddTokens(const ShowCommand& command, const Pack& alone, std::vector<Choice>& choices) {
  const auto tokenizer = TRY(LoadTokenizer(command.tokenizer));
  const EncodeOptions options = TRY(ReadOptions(command, *tokenizer));
  for (const EncodedRequest& request : TRY(EncodeRequests(alone, *tokenizer, options))) {
    Choice& choice = choices[request.choice];
    choice.has_tokens = true;
    choice.truncated = request.truncated;
    choice.scored_from = request.scored_from;
    for (const TokenId id : request.tokens) {
      choice.tokens.push_back({id, TRY(tokenizer->Decode({{id}}))});
    }
  }
  return {};
}

Result<std::vector<Choice>> Choices(const ShowCommand& command, const Pack& pack,
                                    const PackItem& item) {
  std::vector<Choice> choices;
  for (std::size_t i = 0; i < item.choices.size(); ++i) {
    choices.push_back({.context = item.ContextOf(i),
                       .continuation = pack.Continuation(item, i),
                       .is_right = item.labels[i],
                       .characters = CountCodePoints(item.choices[i])});
  }
  if (!command.tokenizer.empty()) {
    Pack alone = pack;
    alone.items = {item};
    TRY(AddTokens(command, alone, choices));
  }
  return choices;
}

std::string Json(const Pack& pack, std::size_t place, const std::vector<Choice>& choices) {
  const PackItem& item = pack.items[place];
  JsonWriter json;
  json.BeginObject();
  WritePackRow(json.Key("pack"), pack, "");
  json.Field("item", item.id).Field("place", static_cast<std::int64_t>(place));
  json.Field("cluster", item.cluster.empty() ? std::nullopt : std::optional(item.cluster));
  json.Key("choices").BeginArray();
  for (const Choice& choice : choices) {
    json.BeginObject().Field("right", choice.is_right).Field("context", choice.context);
    json.Field("continuation", choice.continuation);
    json.Field("characters", static_cast<std::int64_t>(choice.characters)).Key("tokens");
    if (!choice.has_tokens) {
      json.Null().Key("scored_from").Null().Key("truncated").Null().EndObject();
      continue;
    }
    json.BeginArray();
    for (const Token& token : choice.tokens) {
      json.BeginObject().Field("id", token.id).Field("text", token.text).EndObject();
    }
    json.EndArray().Field("scored_from", static_cast<std::int64_t>(choice.scored_from));
    json.Field("truncated", choice.truncated).EndObject();
  }
  return json.EndArray().EndObject().Text() + "\n";
}

// A text between quotes in which every character that shows as nothing is written out.
std::string Quoted(std::string_view text) {
  std::string quoted = JsonWriter().Value(text).Text();
  return Printable(quoted);
}

class Screen {
 public:
  explicit Screen(std::size_t width) : width_(std::max<std::size_t>(width, 40)) {}

  void Line(const std::string& text) {
    for (const std::string& line : Wrap(text, width_)) text_ += line + "\n";
  }

  // A text as it stands, a bar before every line.
  void Verbatim(std::string_view text) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string line = Printable(text.substr(begin, end - begin));
      const std::vector<std::string> parts = Wrap(line, width_ - 4);
      if (parts.empty()) text_ += "  |\n";
      for (const std::string& part : parts) text_ += "  | " + part + "\n";
      begin = end + 1;
    }
  }

  // id"text" of each token, as many in a line as fit.
  void Tokens(std::span<const Token> tokens) {
    std::string line;
    for (const Token& token : tokens) {
      const std::string word = fmt::format("{} {}", token.id, Quoted(token.text));
      if (!line.empty() && DisplayWidth(line) + 3 + DisplayWidth(word) > width_ - 2) {
        text_ += "  " + line + "\n";
        line.clear();
      }
      line += (line.empty() ? "" : "   ") + word;
    }
    if (!line.empty()) text_ += "  " + line + "\n";
  }

  std::string Text() && { return std::move(text_); }

 private:
  const std::size_t width_;
  std::string text_;
};

std::string Blanks(std::string_view context) {
  const std::size_t blanks = CountCodePoints(context) - CountCodePoints(StripRight(context));
  if (blanks == 0 || blanks == CountCodePoints(context)) return "";
  return fmt::format("; its last {} blank{} to the continuation", blanks,
                     blanks == 1 ? " goes" : "s go");
}

void ShowContext(Screen& screen, const Choice& choice, const std::string& of) {
  screen.Line(fmt::format("context{} ({} characters{}):", of, CountCodePoints(choice.context),
                          Blanks(choice.context)));
  screen.Verbatim(choice.context);
  if (!choice.has_tokens) return;
  screen.Line(fmt::format("its {} tokens{}:", choice.scored_from,
                          choice.truncated ? ", cut on the left to what the model takes" : ""));
  screen.Tokens(std::span(choice.tokens).first(choice.scored_from));
}

bool SameContext(const Choice& a, const Choice& b) {
  const auto same = [](const Token& x, const Token& y) { return x.id == y.id; };
  return a.context == b.context && a.truncated == b.truncated && a.scored_from == b.scored_from &&
         std::ranges::equal(std::span(a.tokens).first(a.scored_from),
                            std::span(b.tokens).first(b.scored_from), same);
}

std::string Text(const Pack& pack, std::size_t place, const std::vector<Choice>& choices,
                 std::size_t width) {
  const PackItem& item = pack.items[place];
  Screen screen(width);
  screen.Line(fmt::format("{} {}: item {}, place {} of {}{}", Printable(pack.name),
                          Printable(pack.version), Printable(item.id), place, pack.items.size(),
                          item.cluster.empty() ? "" : ", cluster " + Printable(item.cluster)));
  screen.Line(fmt::format("{} shots ({}), metrics {}, hash {}", pack.fewshot.n,
                          pack.fewshot.preset.empty() ? "the contexts' own" : pack.fewshot.preset,
                          fmt::join(pack.metrics, ", "), PackHash(pack)));
  if (const std::string warning = SizeWarning(pack); !warning.empty()) screen.Line(warning);
  const bool is_shared = std::ranges::all_of(
      choices, [&](const Choice& choice) { return SameContext(choice, choices[0]); });
  if (is_shared) ShowContext(screen, choices[0], "");
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const Choice& choice = choices[i];
    if (!is_shared) ShowContext(screen, choice, fmt::format(" of choice {}", i));
    screen.Line(fmt::format("---- choice {}{}: scored is {}, {} characters without the delimiter",
                            i, choice.is_right ? ", right" : "", Quoted(choice.continuation),
                            choice.characters));
    screen.Tokens(std::span(choice.tokens).subspan(choice.scored_from));
  }
  return std::move(screen).Text();
}

Result<int> Show(const CommandContext& context, const ShowCommand& command) {
  const Pack pack = TRY(ChoosePack(command));
  const std::size_t place = TRY(ChooseItem(pack, command.item));
  const std::vector<Choice> choices = TRY(Choices(command, pack, pack.items[place]));
  if (command.json) {
    context.PrintData(Json(pack, place, choices));
  } else {
    context.Print(Text(pack, place, choices, static_cast<std::size_t>(context.terminal.columns)));
  }
  return 0;
}

}  // namespace

void AddPackShow(CLI::App& packs, CommandContext& context) {
  auto command = std::make_shared<ShowCommand>();
  CLI::App* show = packs.add_subcommand(
      "show", "One item as the model gets it: texts or tokens, boundary, what is scored");
  show->add_option("PACK", command->pack, "Pack folder or file, or KIND=FILE")->required();
  show->add_option("ITEM", command->item, "Its id, or its place counted from 0; else the first");
  show->add_option("--task", command->task, "The pack of this name, where PACK gives several");
  show->add_option("--tokenizer", command->tokenizer,
                   "A checkpoint's folder: show the tokens that its tokenizer gives");
  show->add_option("--bos", command->bos, "Whether texts begin with BOS: auto, true, false")
      ->check(CLI::IsMember({"auto", "true", "false"}));
  show->add_option("--max-length", command->max_length,
                   "Positions of the model; else the tokenizer's model_max_length, else 2048")
      ->check(CLI::Range(1, 1 << 30));
  show->add_flag("--json", command->json, "Print JSON");
  show->footer(
      "Example:\n  couplingctl pack show packs/arc_easy 17 --tokenizer out/checkpoint-500");
  show->callback([&context, command] {
    context.run = [&context, command] { return Show(context, *command); };
  });
}

}  // namespace couplingd
