/// The C++ face of flyball.h: C++17, headers only, links libflyball.
#pragma once

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "flyball.h"

namespace flyball::client {

/// What a call returned, other than 0, with flyball_why() as its text.
class Error : public std::system_error {
 public:
  explicit Error(int error) : std::system_error(error, std::generic_category(), flyball_why()) {}
};

struct Knob {
  std::string name, unit;           ///< FLYBALL_WHERE: its values are what it can run on
  std::vector<std::string> values;  ///< cheapest first
};

struct Application {
  std::string name;
  std::vector<Knob> knobs;
  std::vector<double> accuracy_pct;  ///< as in flyball_application; empty: not known
  std::vector<flyball_monitor> monitors;
  int threads = 1;
  int flags = 0;
  flyball_requirements required{};
};

/// An open session; moved, not copied. Ends the job that it began when it leaves the scope of a Job.
class Session {
 public:
  /// Throws Error for what flyball_open() refuses; no governor is no error.
  explicit Session(const Application& application) {
    std::vector<std::vector<const char*>> values;
    std::vector<flyball_knob> knobs;
    for (const Knob& knob : application.knobs) {
      auto& names = values.emplace_back();
      for (const std::string& value : knob.values) names.push_back(value.c_str());
    }
    for (std::size_t k = 0; k < application.knobs.size(); ++k) {
      const Knob& knob = application.knobs[k];
      knobs.push_back({knob.name.c_str(), knob.unit.c_str(), values[k].data(), values[k].size()});
    }
    std::size_t levels = 1;
    for (const Knob& knob : application.knobs) levels *= knob.values.size();
    if (!application.accuracy_pct.empty() && application.accuracy_pct.size() != levels)
      throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                              "accuracy_pct: one for each combination of values");
    flyball_application app{};
    app.name = application.name.c_str();
    app.knobs = knobs.data();
    app.knob_count = knobs.size();
    app.accuracy_pct = application.accuracy_pct.empty() ? nullptr : application.accuracy_pct.data();
    app.monitors = application.monitors.data();
    app.monitor_count = application.monitors.size();
    app.threads = application.threads;
    app.flags = application.flags;
    app.required = application.required;
    flyball_session* session = nullptr;
    if (const int error = flyball_open(&app, &session)) throw Error(error);
    session_.reset(session);
  }

  /// A job from here to the end of the scope.
  class Job {
   public:
    Job(flyball_session* session, std::int64_t release_ns)
        : session_(session), setting_(*flyball_begin(session, release_ns)) {}
    ~Job() { flyball_end(session_); }
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    const flyball_setting& setting() const { return setting_; }

   private:
    flyball_session* session_;
    const flyball_setting& setting_;
  };
  Job job(std::int64_t release_ns = 0) { return Job(get(), release_ns); }

  const flyball_setting& now() { return *flyball_now(get()); }
  bool connected() { return flyball_connected(get()) == 1; }
  /// Throws Error, but not where there is no governor.
  void require(const flyball_requirements& required) {
    const int error = flyball_require(get(), &required);
    if (error != 0 && error != EPIPE) throw Error(error);
  }
  flyball_effect effect() {
    flyball_effect effect{};
    flyball_session_effect(get(), &effect);
    return effect;
  }
  /// For whatever else flyball.h has.
  flyball_session* get() { return session_.get(); }

 private:
  struct Close {
    void operator()(flyball_session* session) const { flyball_close(session); }
  };
  std::unique_ptr<flyball_session, Close> session_;
};

}  // namespace flyball::client
