/// The C++ face of flyball.h: C++17, headers only, links libflyball.
#pragma once

#include <cerrno>
#include <cstdint>
#include <exception>
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

/// What became of a session's reports.
struct Reports {
  std::uint64_t published = 0;  ///< which a governor has read or will read
  std::uint64_t refused = 0;    ///< for which there was no room, since it had not read for long
  std::uint64_t unheard = 0;    ///< while there was no governor
};

/// An open session; moved, not copied, and not while a Job of it is there.
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
    open_->session = session;
  }

  /// A job from here to the end of the scope, or to end(). One that an exception ends is told as dropped. A report
  /// that finds no room is counted: see Session::reports().
  class Job {
   public:
    Job(Session& session, std::int64_t release_ns)
        : open_(*session.open_), setting_(*flyball_begin(open_.session, release_ns)) {}
    ~Job() {
      if (!told_)
        open_.count(std::uncaught_exceptions() > exceptions_ ? flyball_drop(open_.session)
                                                             : flyball_end(open_.session));
    }
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    /// It is done, with a value for each monitor, in order (NAN: none). Throws Error for more values than
    /// monitors, and for a report that found no room; not where there is no governor.
    void end(const std::vector<double>& values = {}) {
      const int error = flyball_end_with(open_.session, values.data(), values.size());
      if (error == EINVAL) throw Error(error);
      told_ = true;
      open_.count(error);
      if (error != 0 && error != EPIPE) throw Error(error);
    }
    const flyball_setting& setting() const { return setting_; }

   private:
    friend class Session;
    struct Open {
      Open() = default;
      ~Open() { flyball_close(session); }
      Open(const Open&) = delete;
      Open& operator=(const Open&) = delete;
      void count(int error) {
        ++(error == 0 ? reports.published : error == EBUSY ? reports.refused : reports.unheard);
      }
      flyball_session* session = nullptr;
      Reports reports;
    };
    Open& open_;
    const flyball_setting& setting_;
    const int exceptions_ = std::uncaught_exceptions();
    bool told_ = false;
  };
  Job job(std::int64_t release_ns = 0) { return Job(*this, release_ns); }
  /// A job that is over. Throws Error as Job::end().
  void report(const flyball_job& job) {
    const int error = flyball_report(get(), &job);
    if (error == EINVAL) throw Error(error);
    open_->count(error);
    if (error != 0 && error != EPIPE) throw Error(error);
  }
  /// Of jobs and of report(), not of what is told by get().
  const Reports& reports() const { return open_->reports; }

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
  flyball_session* get() { return open_->session; }

 private:
  std::unique_ptr<Job::Open> open_ = std::make_unique<Job::Open>();
};

}  // namespace flyball::client
