#include "kernels/data/image_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/base/error.h"
#include "kernels/base/random.h"
#include "kernels/data/cifar10.h"
#include "kernels/data/picture_folder.h"
#include "tests/governor/subprocess.h"
#include "tests/infer/pictures.h"

namespace flyball {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using testing::kHugePng;
using testing::kPng;
using testing::kPpm;
using testing::TempDir;
using testing::write_bytes;

const std::vector<std::uint8_t> kPixels = {255, 0, 0, 0,   255, 0,   0,   0,   255,
                                           0,   0, 0, 128, 128, 128, 255, 255, 255};

template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kInput);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "accepted";
}
std::string refusal_of(std::string_view bytes) {
  return refusal([&] { decode_picture("a.ppm", bytes); });
}

TEST(ImageFile, ReadsThePixelsOfAPpmAndOfAPng) {
  const Picture ppm = decode_picture("a.ppm", kPpm);
  EXPECT_EQ(ppm.width, 3);
  EXPECT_EQ(ppm.height, 2);
  EXPECT_EQ(ppm.channels, 3);
  EXPECT_THAT(ppm.pixels, ElementsAreArray(kPixels));
  if (!reads_png()) GTEST_SKIP() << "built without libpng";
  const Picture png = decode_picture("a.png", kPng);
  EXPECT_EQ(png.width, 3);
  EXPECT_EQ(png.height, 2);
  EXPECT_THAT(png.pixels, ElementsAreArray(kPixels));
}

TEST(ImageFile, ScalesWhatIsNotOf255) {
  using namespace std::string_literals;
  EXPECT_THAT(decode_picture("a.pgm", "P5 3 1 15\n\x00\x07\x0f"s).pixels, ElementsAre(0, 119, 255));
  EXPECT_THAT(decode_picture("a.pgm", "P5 2 1 65535\n\x80\x00\xff\xff"s).pixels,
              ElementsAre(128, 255));
}

TEST(ImageFile, RefusesInOneLineWhatIsNoPicture) {
  EXPECT_THAT(refusal_of(""), HasSubstr("a.ppm: is empty"));
  EXPECT_THAT(refusal_of("hello"), HasSubstr("neither PNG nor PPM"));
  EXPECT_THAT(refusal_of("P3 1 1 255 0 0 0"), HasSubstr("in plain text"));
  EXPECT_THAT(refusal_of("P6 x"), HasSubstr("its header is no PPM's"));
  EXPECT_THAT(refusal_of("P6 0 2 255\n"), HasSubstr("0 x 2 pixels"));
  EXPECT_THAT(refusal_of("P6 99999999 99999999 255\n"), HasSubstr("99999999 x 99999999 pixels"));
  EXPECT_THAT(refusal_of("P6 1 1 70000\nabc"), HasSubstr("70000"));
  EXPECT_THAT(refusal_of(kPpm.substr(0, kPpm.size() - 1)),
              HasSubstr("17 bytes of pixels instead of 18"));
}

TEST(ImageFile, NoPartOfAFileIsTakenForAllOfIt) {
  for (std::size_t length = 0; length < kPpm.size(); ++length)
    EXPECT_THAT(refusal_of(kPpm.substr(0, length)), HasSubstr("a.ppm: ")) << length;
  if (!reads_png()) GTEST_SKIP() << "built without libpng";
  // The last chunk has nothing in it: all pixels are there without its checksum.
  for (std::size_t length = 0; length + 12 < kPng.size(); ++length)
    EXPECT_THAT(refusal_of(kPng.substr(0, length)), HasSubstr("a.ppm: ")) << length;
  EXPECT_THAT(refusal_of(kHugePng), HasSubstr("200000 x 200000 pixels"));
}

TEST(ImageFile, BrokenBytesAreReadOrRefusedAndNothingElse) {
  Random random(7);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string bytes = i % 2 == 0 ? kPpm : kPng;
    for (int flips = 0; flips < 3; ++flips)
      bytes[random.below(static_cast<std::uint32_t>(bytes.size()))] =
          static_cast<char>(random.below(256));
    try {
      const Picture image = decode_picture("a", bytes);
      ASSERT_EQ(image.pixels.size(), std::size_t(image.width) * image.height * image.channels);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(ImageFile, APixelIsTheMeanOfWhatItCovers) {
  const auto grey = [](int width, int height, std::vector<std::uint8_t> pixels) {
    return Picture{width, height, 1, std::move(pixels)};
  };
  std::vector<std::uint8_t> out(4);
  resize_picture(grey(4, 4, {0, 4, 10, 10, 8, 12, 10, 10, 1, 1, 50, 60, 1, 1, 70, 80}), 2, 1, out);
  EXPECT_THAT(out, ElementsAre(6, 10, 1, 65));
  // Three columns to two: each takes one and a half of them.
  resize_picture(grey(3, 2, {30, 60, 90, 0, 0, 0}), 2, 1, out);
  EXPECT_THAT(out, ElementsAre(40, 80, 0, 0));
  // A grey one in colour, larger than it was.
  std::vector<std::uint8_t> colour(12);
  resize_picture(grey(1, 1, {77}), 2, 3, colour);
  EXPECT_THAT(colour, ::testing::Each(77));
  // White stays white in grey, and black black.
  std::vector<std::uint8_t> two(4);
  resize_picture(Picture{2, 2, 3, std::vector<std::uint8_t>(12, 255)}, 2, 1, two);
  EXPECT_THAT(two, ::testing::Each(255));
}

TEST(ImageFile, ItsOwnSizeIsLeftAsItIs) {
  Random random(3);
  Picture image{16, 16, 3, std::vector<std::uint8_t>(16 * 16 * 3)};
  for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(random.below(256));
  std::vector<std::uint8_t> out(image.pixels.size());
  resize_picture(image, 16, 3, out);
  EXPECT_EQ(out, image.pixels);
}

TEST(PictureFolder, TakesThePicturesInOrderAndNothingElse) {
  const TempDir dir;
  write_bytes(dir / "b.ppm", kPpm);
  write_bytes(dir / "a.PPM", kPpm);
  write_bytes(dir / "notes.txt", "no picture");
  std::filesystem::create_directory(dir / "c.ppm");
  const NamedImages named = load_pictures(dir.path(), 2, 3);
  EXPECT_THAT(named.names, ElementsAre("a.PPM", "b.ppm"));
  EXPECT_EQ(named.images.size(), 2u);
  EXPECT_EQ(named.images.pixels.size(), 2u * 2 * 2 * 3);
}

TEST(PictureFolder, SaysWhichFileOrFolderIsOfNoUse) {
  const TempDir dir;
  const auto refused = [&] { return refusal([&] { load_pictures(dir.path(), 2, 3); }); };
  EXPECT_THAT(refused(), HasSubstr("has no pictures (*.png, *.ppm, *.pgm) in it"));
  write_bytes(dir / "good.ppm", kPpm);
  write_bytes(dir / "worse.png", kPng.substr(0, 50));
  EXPECT_THAT(refused(), HasSubstr("worse.png: "));
}

TEST(CifarFile, OneFileIsReadAndAPartOfOneIsNot) {
  const TempDir dir;
  constexpr std::size_t kRecord = 3073;
  std::string bytes(10000 * kRecord, '\0');
  for (std::size_t r = 0; r < 10000; ++r) {
    bytes[r * kRecord] = static_cast<char>(r % 10);
    bytes[r * kRecord + 1 + 1024] = static_cast<char>(r);  // green of the first pixel
  }
  write_bytes(dir / "test_batch.bin", bytes);
  const Dataset set = load_cifar10_file(dir / "test_batch.bin");
  ASSERT_EQ(set.size(), 10000u);
  EXPECT_EQ(set.labels[123], 3);
  EXPECT_EQ(set.image(123)[1], 123);

  write_bytes(dir / "cut.bin", std::string_view(bytes).substr(0, 5 * kRecord));
  EXPECT_THAT(refusal([&] { load_cifar10_file(dir / "cut.bin"); }),
              HasSubstr("cut short between records; take one of the six files"));
  EXPECT_THAT(refusal([&] { load_cifar10_file(dir / "none.bin"); }), HasSubstr("no such file"));
}

}  // namespace
}  // namespace flyball
