#pragma once

#include <string>
#include <vector>

#include "env/sim/sim_model.h"
#include "governor/compare/apart.h"
#include "governor/compare/joint_power.h"
#include "governor/compare/lower_hull.h"
#include "governor/compare/price_table.h"

namespace flyball {

/// Different accuracy floors of one application, of those that levels tell apart.
inline constexpr std::size_t kMaxFloorClasses = 16;

/// What the lower bounds of all seeds of a scenario have in common: in which ways jobs can run, and
/// what power these take at least beyond the least that the platform ever takes ("excess").
class BoundModel {
 public:
  /// The references outlive it.
  BoundModel(const PlatformSpec& platform, const Scenario& scenario);
  BoundModel(const BoundModel&) = delete;
  BoundModel& operator=(const BoundModel&) = delete;

  const SimModel& sim() const { return sim_; }
  const std::vector<Condition>& conditions() const { return conditions_; }
  double floor_mw(std::size_t condition) const { return floor_mw_[conditions_[condition].like]; }
  /// Empty, or why there is no bound.
  const std::string& why_none() const { return why_none_; }

  /// The class of a floor: which levels reach it.
  int floor_class(int app, double accuracy_floor_pct) const;
  /// How an application that is alone can run a job (mapping and level): per condition (Condition::like) the hull over the
  /// operating points. None where the level does not reach the floor.
  struct Way {
    std::vector<std::vector<Pace>> hull;
  };
  const std::vector<Way>& ways(int app, int floor_class) const {
    return classes_[static_cast<std::size_t>(app)][static_cast<std::size_t>(floor_class)].ways;
  }
  /// Of two applications, or of one (the second's class is 0 then).
  const PriceTable& table(std::size_t condition, int class_a, int class_b) const;
  const std::vector<double>& prices(int app) const {
    return prices_[static_cast<std::size_t>(app)];
  }

 private:
  struct FloorClass {
    std::vector<bool> reaches;  ///< per level
    std::vector<Way> ways;      ///< per setting; one that does not reach the floor has no hull
  };
  struct Setting {
    AppSetting setting;
    unsigned clusters = 0;
    std::vector<OppChoice> opps;  ///< of its clusters
    std::vector<JobCost> costs;   ///< per element of opps
  };
  /// Power, not yet excess, of a way to run; -1: the application does not.
  struct Point {
    JointPace pace;
    int setting_a = -1, setting_b = -1;
  };

  /// Clocks of the clusters that are on, and what the platform takes at least.
  struct ClocksOn {
    unsigned on = 0;
    OppChoice opp{};
    double mw = 0;
  };

  void find_conditions();
  void find_classes();
  void find_settings(int app);
  std::size_t joint_points() const;
  const std::vector<OppChoice>& choices(unsigned clusters);
  const JobCost& cost_at(const Setting& setting, const OppChoice& opp) const;
  void add_alone(const JointPower& power, int app, std::vector<Point>& points) const;
  void add_together(const JointPower& power, std::vector<Point>& points);
  void choose_prices(const std::vector<std::vector<Point>>& alone);
  void find_ways(std::size_t condition, const std::vector<Point>& points);
  void tabulate(const std::vector<Point>& points, std::vector<PriceTable>& tables) const;
  std::array<ApartPower::Users, kMaxClusters> users() const;
  std::vector<ClocksOn> clocks_on(const JointPower& power, const ApartPower& apart) const;
  void tabulate_apart(const std::vector<Point>& alone, const std::vector<ClocksOn>& clocks,
                      const ApartPower& apart, double floor_mw,
                      std::vector<PriceTable>& tables) const;
  std::vector<double> earned_apart(int app, const FloorClass& floor,
                                   const std::vector<ClocksOn>& clocks,
                                   const ApartPower& apart) const;

  const Scenario& scenario_;
  SimModel sim_;
  std::vector<Condition> conditions_;
  std::vector<double> floor_mw_;
  std::string why_none_;
  std::vector<std::vector<FloorClass>> classes_;  ///< per application
  std::vector<std::vector<Setting>> settings_;    ///< per application, of levels that matter
  std::vector<std::vector<OppChoice>> choices_;   ///< per set of clusters, made when asked for
  std::vector<std::vector<double>> prices_;       ///< per application; the first is 0
  std::vector<std::vector<PriceTable>>
      tables_;  ///< per condition, class_a * classes of b + class_b; of one like another none
};

}  // namespace flyball
