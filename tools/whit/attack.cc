#include "tools/whit/attack.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "platform/mapping.h"
#include "runtime/impl.h"
#include "tools/whit/command.h"
#include "tools/whit/real_values.h"

namespace whit::tools {

namespace {

// Bytes of the file that one kind of constant lies in.
struct Site {
  std::string name;
  struct Part {
    uint64_t offset = 0, bytes = 0;
  };
  std::vector<Part> parts;
  uint64_t bytes = 0;

  /// Where byte `i` of the site is in the file.
  uint64_t At(uint64_t i) const {
    for (const Part& p : parts) {
      if (i < p.bytes) return p.offset + i;
      i -= p.bytes;
    }
    return 0;
  }
};

// Of what the model's steps read, each byte in one site.
std::vector<Site> SitesOf(const Model& model) {
  const whit::Graph& graph = model.impl()->graph;
  const std::byte* const file = model.impl()->file->file().data();
  std::vector<const void*> seen;
  const auto add = [&](Site* site, const void* data, size_t bytes) {
    if (data == nullptr || bytes == 0 || std::find(seen.begin(), seen.end(), data) != seen.end())
      return;
    seen.push_back(data);
    site->parts.push_back(
        {static_cast<uint64_t>(static_cast<const std::byte*>(data) - file), bytes});
    site->bytes += bytes;
  };
  std::vector<Site> sites = {{"weights", {}, 0},
                             {"sums and range limits of weights", {}, 0},
                             {"biases, multipliers, tables, constants", {}, 0}};
  for (const PackedWeights& w : graph.weights) add(&sites[0], w.data, w.data_bytes);
  for (const auto& blobs : graph.weight_blobs) {
    for (const BlobView& blob : blobs) add(&sites[1], blob.data, blob.bytes);
  }
  for (const BlobView& blob : graph.blobs) add(&sites[2], blob.data, blob.bytes);
  for (const TensorDef& t : graph.tensors) add(&sites[2], t.constant, t.bytes());
  std::erase_if(sites, [](const Site& s) { return s.bytes == 0; });
  return sites;
}

std::byte MaskOf(unsigned bit) { return std::byte{static_cast<uint8_t>(1u << bit)}; }

// A model in memory of our own, and a runner. Its bits are flipped where they lie.
class Victim {
 public:
  static Result<Victim> Create(Model model, const RunnerOptions& options) {
    auto runner = Runner::Create(model, options);
    if (!runner.ok()) return runner.status();
    return Victim(std::move(model), std::move(runner).value());
  }

  // Read into owned memory (or borrowed from a buffer that may be written): writable.
  void Flip(uint64_t offset, unsigned bit) {
    const_cast<std::byte&>(model_.impl()->file->file()[offset]) ^= MaskOf(bit);
  }
  std::byte Get(uint64_t offset) const { return model_.impl()->file->file()[offset]; }
  std::span<const std::byte> file() const { return model_.impl()->file->file(); }
  uint64_t PageOf(uint64_t offset) const { return offset / model_.impl()->pages->page_bytes(); }

  Result<std::vector<std::byte>> Outputs(const Sample& sample) {
    WHIT_RETURN_IF_ERROR(RunSample(runner_, sample));
    std::vector<std::byte> all;
    for (size_t i = 0; i < runner_.output_count(); ++i) {
      const auto data = runner_.output(i).data;
      all.insert(all.end(), data.begin(), data.end());
    }
    return all;
  }
  Result<size_t> Class(const Sample& sample) {
    WHIT_RETURN_IF_ERROR(RunSample(runner_, sample));
    WHIT_ASSIGN_OR_RETURN(const std::vector<double> scores, RealValues(runner_.output(0)));
    // NaN is no answer: such a model has no best class.
    size_t best = scores.size();
    for (size_t i = 0; i < scores.size(); ++i) {
      if (!std::isnan(scores[i]) && (best == scores.size() || scores[i] > scores[best])) best = i;
    }
    return best;
  }

  Model& model() { return model_; }
  Runner& runner() { return runner_; }

 private:
  Victim(Model model, Runner runner) : model_(std::move(model)), runner_(std::move(runner)) {}
  Model model_;
  Runner runner_;
};

class Attacker {
 public:
  Attacker(const std::vector<Sample>& samples, const AttackOptions& options, AttackReport* report)
      : samples_(samples), options_(options), report_(*report), rng_(options.seed) {}

  Status Run(const std::string& path) {
    WHIT_RETURN_IF_ERROR(Open(path));
    WHIT_RETURN_IF_ERROR(Undisturbed());
    // One attacker flips any bit, the other one the highest of a byte: of int8 its sign, of the
    // last byte of a float its sign too.
    report_.curves.resize(2);
    report_.curves[0].name = "random bits", report_.curves[1].name = "most significant bits";
    for (size_t i = 0; i < report_.curves.size(); ++i) {
      std::vector<std::vector<double>> all(static_cast<size_t>(options_.trials));
      for (size_t t = 0; t < all.size(); ++t) {
        WHIT_RETURN_IF_ERROR(Trial(i == 1, &report_.curves[i], &all[t]));
        Done(0.25 * static_cast<double>(i) +
             0.25 * static_cast<double>(t + 1) / static_cast<double>(all.size()));
      }
      Average(all, &report_.curves[i]);
    }
    return Campaign();
  }

 private:
  void Done(double share) const {
    if (options_.progress) options_.progress(share);
  }

  Status Open(const std::string& path) {
    WHIT_ASSIGN_OR_RETURN(original_, ReadWholeFile(path, uint64_t{4} << 30));
    buffer_ = original_;
    OpenOptions off;
    off.integrity = Integrity::kOff;
    RunnerOptions plain;
    plain.isa = options_.isa;
    plain.scrub_share = 0;  // it is called where the report counts
    WHIT_ASSIGN_OR_RETURN(Model bare, Model::OpenBytes(buffer_, off));
    WHIT_ASSIGN_OR_RETURN(Victim bare_victim, Victim::Create(std::move(bare), plain));
    bare_.emplace(std::move(bare_victim));
    OpenOptions read;
    read.residency = Residency::kRead;
    read.integrity = Integrity::kFull;
    WHIT_ASSIGN_OR_RETURN(Model guarded, Model::Open(path, read));
    if (guarded.impl()->pages == nullptr) {
      return BadInput(path +
                      " has no hash tree, so nothing says which bytes are right; import it "
                      "anew");
    }
    plain.self_check = true;
    WHIT_ASSIGN_OR_RETURN(Victim guarded_victim, Victim::Create(std::move(guarded), plain));
    guarded_.emplace(std::move(guarded_victim));
    sites_ = SitesOf(guarded_->model());
    if (sites_.empty()) return BadInput(path + " has no constants");
    return OkStatus();
  }

  Status Undisturbed() {
    expected_ = options_.classes;
    if (report_.own_answers = expected_.empty(); report_.own_answers) {
      for (const Sample& s : samples_) {
        WHIT_ASSIGN_OR_RETURN(const size_t best, bare_->Class(s));
        expected_.push_back(best);
      }
    }
    WHIT_ASSIGN_OR_RETURN(report_.accuracy, Accuracy(&*bare_));
    WHIT_ASSIGN_OR_RETURN(const std::vector<double> scores, RealValues(bare_->runner().output(0)));
    report_.classes = scores.size();
    // A guess, and two standard deviations of guessing this many samples.
    const double p = 1 / static_cast<double>(std::max<size_t>(1, scores.size()));
    report_.chance = p + 2 * std::sqrt(p * (1 - p) / static_cast<double>(samples_.size()));
    for (const Sample& s : samples_) {
      WHIT_ASSIGN_OR_RETURN(std::vector<std::byte> out, bare_->Outputs(s));
      golden_.push_back(std::move(out));
    }
    return OkStatus();
  }

  Result<double> Accuracy(Victim* victim) const {
    size_t right = 0;
    for (size_t i = 0; i < samples_.size(); ++i) {
      WHIT_ASSIGN_OR_RETURN(const size_t best, victim->Class(samples_[i]));
      right += best == expected_[i] ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(samples_.size());
  }

  struct Place {
    uint64_t offset = 0;
    unsigned bit = 0;
  };
  Place Draw(const Site& site, bool top) {
    const uint64_t at = rng_() % site.bytes;
    const auto bit = static_cast<unsigned>(rng_() % 8);
    return {site.At(at), top ? 7 : bit};
  }

  // Flips that stay, until chance or the limit is reached; then the same flips under protection.
  Status Trial(bool top, AttackCurve* curve, std::vector<double>* accuracies) {
    std::vector<Place> flips;
    uint64_t to_chance = 0;
    Result<double> accuracy = report_.accuracy;
    accuracies->push_back(report_.accuracy);
    for (uint64_t next = 1; next <= options_.most_flips && to_chance == 0; next *= 2) {
      while (flips.size() < next) {
        flips.push_back(Draw(sites_[0], top));
        bare_->Flip(flips.back().offset, flips.back().bit);
      }
      accuracy = Accuracy(&*bare_);
      if (!accuracy.ok()) return accuracy.status();
      accuracies->push_back(*accuracy);
      if (*accuracy <= report_.chance) to_chance = next;
    }
    curve->to_chance.push_back(to_chance);
    std::copy(original_.begin(), original_.end(), buffer_.begin());
    return Protected(flips, curve);
  }

  Status Protected(const std::vector<Place>& flips, AttackCurve* curve) {
    for (const Place& f : flips) guarded_->Flip(f.offset, f.bit);
    std::vector<uint64_t> pages;  // with a byte that differs: two flips of one bit undo each other
    for (const Place& f : flips) {
      if (guarded_->Get(f.offset) != original_[f.offset])
        pages.push_back(guarded_->PageOf(f.offset));
    }
    std::sort(pages.begin(), pages.end());
    pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
    WHIT_ASSIGN_OR_RETURN(const ScrubReport scrubbed, guarded_->model().Scrub());
    curve->pages_hit += pages.size();
    curve->pages_repaired += scrubbed.repaired;
    if (!std::ranges::equal(guarded_->file(), original_)) curve->bytes_restored = false;
    WHIT_ASSIGN_OR_RETURN(const double accuracy, Accuracy(&*guarded_));
    curve->accuracy_repaired =
        curve->to_chance.size() == 1 ? accuracy : std::min(curve->accuracy_repaired, accuracy);
    return OkStatus();
  }

  // A trial that ended at chance stays there.
  static void Average(const std::vector<std::vector<double>>& all, AttackCurve* curve) {
    size_t points = 0;
    for (const auto& one : all) points = std::max(points, one.size());
    for (size_t i = 0; i < points; ++i) {
      AttackCurve::Point p{i == 0 ? 0 : uint64_t{1} << (i - 1), 0, 1, 0};
      for (const auto& one : all) {
        const double a = one[std::min(i, one.size() - 1)];
        p.accuracy += a / static_cast<double>(all.size());
        p.least = std::min(p.least, a), p.most = std::max(p.most, a);
      }
      curve->points.push_back(p);
    }
  }

  // Half of the flips meet the weights, the rest is dealt out over the other sites.
  Status Campaign() {
    const uint64_t others = sites_.size() - 1;
    uint64_t done = 0;
    for (size_t s = 0; s < sites_.size(); ++s) {
      AttackSite result;
      result.name = sites_[s].name, result.bits = 8 * sites_[s].bytes;
      const uint64_t half = others == 0 ? options_.campaign : options_.campaign / 2;
      result.flips = s == 0 ? half : (options_.campaign - half) / others;
      for (uint64_t i = 0; i < result.flips; ++i) {
        WHIT_RETURN_IF_ERROR(OneFlip(Draw(sites_[s], false), &result));
        Done(0.5 + 0.5 * static_cast<double>(++done) / static_cast<double>(options_.campaign));
      }
      report_.sites.push_back(std::move(result));
    }
    return OkStatus();
  }

  Status OneFlip(Place place, AttackSite* site) {
    const size_t i = rng_() % samples_.size();
    bare_->Flip(place.offset, place.bit);
    auto out = bare_->Outputs(samples_[i]);
    bare_->Flip(place.offset, place.bit);
    const bool changed = !out.ok() || *out != golden_[i];
    site->changed_output += changed ? 1 : 0;

    guarded_->Flip(place.offset, place.bit);
    WHIT_ASSIGN_OR_RETURN(const ScrubReport scrubbed, guarded_->model().Scrub());
    site->found_by_scrub += scrubbed.repaired == 1 ? 1 : 0;
    const bool restored = guarded_->Get(place.offset) == original_[place.offset];

    guarded_->Flip(place.offset, place.bit);
    const uint64_t before = guarded_->runner().repeated_runs();
    auto checked = guarded_->Outputs(samples_[i]);
    const bool found = guarded_->runner().repeated_runs() > before || !checked.ok();
    site->found_at_all += found ? 1 : 0;
    site->found_in_run += found && changed ? 1 : 0;
    site->wrong_answers += checked.ok() && *checked != golden_[i] ? 1 : 0;
    const bool differs = guarded_->Get(place.offset) != original_[place.offset];
    if (differs && !found) guarded_->Flip(place.offset, place.bit);  // nobody has seen it yet
    site->restored += restored && !(differs && found) ? 1 : 0;
    return OkStatus();
  }

  const std::vector<Sample>& samples_;
  const AttackOptions& options_;
  AttackReport& report_;
  std::mt19937_64 rng_;
  std::vector<std::byte> original_, buffer_;
  std::optional<Victim> bare_, guarded_;
  std::vector<Site> sites_;
  std::vector<size_t> expected_;
  std::vector<std::vector<std::byte>> golden_;
};

}  // namespace

Result<AttackReport> Attack(const std::string& path, const std::vector<Sample>& samples,
                            const AttackOptions& options) {
  AttackReport report;
  report.file = path;
  report.seed = options.seed;
  report.samples = samples.size();
  if (samples.empty()) return BadInput("no samples");
  if (!options.classes.empty() && options.classes.size() != samples.size()) {
    return BadInput(std::to_string(options.classes.size()) + " labels for " +
                    std::to_string(samples.size()) + " samples");
  }
  WHIT_RETURN_IF_ERROR(Attacker(samples, options, &report).Run(path));
  return report;
}

}  // namespace whit::tools
