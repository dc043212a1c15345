#include "kernels/training/checkpoint.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace flyball {
namespace {

namespace fs = std::filesystem;

TrainingCheckpoint some_checkpoint() {
  TrainingCheckpoint c;
  c.recipe.kind = "slimmable";
  c.recipe.data = "cifar10:/a folder/with = and spaces";
  c.recipe.lr = 0.1 / 3;
  c.recipe.seed = ~std::uint64_t{0};
  c.phase = 3, c.epoch = 1, c.step = 17, c.stale = 2;
  c.best_pct = 61.25, c.loss_sum = 12.5, c.hits = 99;
  c.parameters = {1, -2, 3.5f};
  c.learning = {0.25f};
  c.optimiser_steps = 1234567890123;
  return c;
}

class CheckpointFile : public testing::Test {
 protected:
  const fs::path path_ =
      fs::temp_directory_path() / ("flyball_checkpoint_" + std::to_string(getpid()));
  ~CheckpointFile() override { fs::remove(path_); }
  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string error_for(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary) << bytes;
    TrainingCheckpoint c;
    const std::string error = read_checkpoint(path_, c);
    EXPECT_EQ(error.find(path_.string() + ": "), 0u);
    EXPECT_NE(error.find("; give a checkpoint of"), std::string::npos);
    return error;
  }
};

TEST_F(CheckpointFile, GivesBackWhatWasWritten) {
  const TrainingCheckpoint was = some_checkpoint();
  ASSERT_EQ(write_checkpoint(was, path_), "");
  TrainingCheckpoint is;
  ASSERT_EQ(read_checkpoint(path_, is), "");
  EXPECT_EQ(is.recipe, was.recipe);
  EXPECT_EQ(is.phase, 3u);
  EXPECT_EQ(is.epoch, 1u);
  EXPECT_EQ(is.step, 17u);
  EXPECT_EQ(is.stale, 2u);
  EXPECT_EQ(is.best_pct, 61.25);
  EXPECT_EQ(is.loss_sum, 12.5);
  EXPECT_EQ(is.hits, 99);
  EXPECT_EQ(is.parameters, was.parameters);
  EXPECT_TRUE(is.best.empty());
  EXPECT_EQ(is.learning, was.learning);
  EXPECT_EQ(is.optimiser_steps, 1234567890123u);
}

TEST_F(CheckpointFile, RefusesEveryTruncationAndEveryFlippedByte) {
  ASSERT_EQ(write_checkpoint(some_checkpoint(), path_), "");
  const std::string good = content();
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_NE(error_for(good.substr(0, n)), "") << n;
  for (std::size_t n = 0; n < good.size(); ++n) {
    std::string bad = good;
    bad[n] ^= 0x20;
    EXPECT_NE(error_for(bad), "") << n;
  }
  EXPECT_NE(error_for(good + '\0'), "");
}

TEST_F(CheckpointFile, SaysWhatIsWrong) {
  EXPECT_NE(error_for("hello").find("it is no checkpoint"), std::string::npos);
  ASSERT_EQ(write_checkpoint(some_checkpoint(), path_), "");
  std::string newer = content();
  newer[8] = 9;
  EXPECT_NE(error_for(newer).find("its version is 9, this program reads 2"), std::string::npos);
  TrainingCheckpoint c;
  EXPECT_NE(read_checkpoint("/no/such", c).find("/no/such: No such file"), std::string::npos);
  EXPECT_NE(read_checkpoint(fs::temp_directory_path(), c).find("it is not a regular file"),
            std::string::npos);
  EXPECT_NE(write_checkpoint(c, "/no/such/folder/x").find("; choose a place"), std::string::npos);
}

TEST(Recipe, NamesTheOptionThatIsOutOfRange) {
  EXPECT_EQ(Recipe{}.problem(), "");
  const auto problem = [](auto change) {
    Recipe recipe;
    change(recipe);
    return recipe.problem();
  };
  EXPECT_NE(problem([](Recipe& r) { r.kind = "wide"; }).find("--kind wide"), std::string::npos);
  EXPECT_NE(problem([](Recipe& r) { r.batch = 1; }).find("--batch 1"), std::string::npos);
  EXPECT_NE(problem([](Recipe& r) { r.epochs = 0; }).find("--epochs 0"), std::string::npos);
  EXPECT_NE(problem([](Recipe& r) { r.images = 0; }).find("--images 0"), std::string::npos);
  EXPECT_NE(problem([](Recipe& r) { r.lr = 0.0 / 0.0; }).find("--lr"), std::string::npos);
  EXPECT_NE(problem([](Recipe& r) { r.smoothing = 1; }).find("--smoothing 1"), std::string::npos);
  EXPECT_NE(problem([](Recipe& r) { r.threads = 0; }).find("--threads 0"), std::string::npos);
}

TEST(Recipe, ItsCommandHasEveryField) {
  Recipe recipe;
  recipe.seed = 77;
  recipe.lr = 0.003;
  const std::string command = recipe.command();
  EXPECT_EQ(command.find("flyball-torch train-network --kind grouped"), 0u);
  EXPECT_NE(command.find(" --lr 0.003"), std::string::npos);
  EXPECT_NE(command.find(" --seed 77"), std::string::npos);
}

}  // namespace
}  // namespace flyball
