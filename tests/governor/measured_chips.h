#pragma once

namespace flyball::testing {

// Facts of three chips as kdrag0n/freqbench measured them (https://github.com/kdrag0n/freqbench, MIT
// licence, Copyright (c) 2020 Danny Lin): CoreMark on one core, power with the idle system's taken
// off; here per 100 iterations.

// A15 of the Exynos 5250: MHz, mV, mW, ms of 100 iterations.
const char* const kExynos5250 =
    "unit,mhz,voltage_mv,power_mw,time_ms\n"
    "A15,200,925,131.8,109.996\n"
    "A15,300,937.5,211.5,73.180\n"
    "A15,400,950,286.3,54.907\n"
    "A15,500,975,375.4,44.384\n"
    "A15,600,1000,445.9,36.493\n"
    "A15,700,1012.5,512.9,31.256\n"
    "A15,800,1025,677.7,27.225\n"
    "A15,900,1050,764.4,24.449\n"
    "A15,1000,1075,877.8,21.805\n"
    "A15,1100,1100,1084.1,19.764\n"
    "A15,1200,1125,1224.9,18.133\n"
    "A15,1300,1150,1396.4,16.856\n"
    "A15,1400,1200,1661.8,15.638\n"
    "A15,1500,1225,1894.7,14.500\n"
    "A15,1600,1250,2198.5,13.638\n"
    "A15,1700,1300,2496.8,12.778\n";

// LITTLE cores of the Snapdragon 865: 518.4 MHz was disturbed.
const char* const kSm8250Little =
    "unit,mhz,power_mw,time_ms\n"
    "little,300,41.1,89.782\n"
    "little,403.2,49.2,66.801\n"
    "little,518.4,75.7,51.951\n"
    "little,614.4,43.9,43.840\n"
    "little,691.2,49.0,38.962\n"
    "little,787.2,52.7,34.215\n"
    "little,883.2,58.9,30.494\n"
    "little,979.2,64.1,27.502\n"
    "little,1075.2,69.6,25.050\n"
    "little,1171.2,74.8,22.998\n"
    "little,1248,78.1,21.583\n"
    "little,1344,85.0,20.041\n"
    "little,1420.8,88.2,18.956\n"
    "little,1516.8,95.0,17.756\n"
    "little,1612.8,99.0,16.699\n"
    "little,1708.8,102.7,15.762\n"
    "little,1804.8,115.2,14.924\n";

// The prime core of a Snapdragon 888, first device: some clocks were not reached.
const char* const kSm8350First =
    "unit,mhz,power_mw,time_ms\n"
    "prime,844.8,246.0,12.747\n"
    "prime,960,275.5,11.223\n"
    "prime,1075.2,262.1,11.995\n"
    "prime,1190.4,324.9,8.971\n"
    "prime,1305.6,341.7,8.678\n"
    "prime,1420.8,259.1,13.480\n"
    "prime,1555.2,365.3,8.972\n"
    "prime,1670.4,480.2,6.445\n"
    "prime,1785.6,520.8,6.202\n"
    "prime,1900.8,584.1,5.666\n"
    "prime,2035.2,662.6,5.289\n"
    "prime,2150.4,768.8,5.007\n"
    "prime,2265.6,878.3,4.753\n"
    "prime,2380.8,1008.7,4.526\n"
    "prime,2496,1042.5,4.314\n"
    "prime,2592,1219.1,4.156\n"
    "prime,2688,1364.7,4.006\n"
    "prime,2764.8,1560.8,3.897\n"
    "prime,2841.6,1635.9,3.789\n";

// Its LITTLE cores.
const char* const kSm8350FirstLittle =
    "unit,mhz,power_mw,time_ms\n"
    "little,300,66.6,89.933\n"
    "little,403.2,63.3,66.855\n"
    "little,499.2,66.4,53.991\n"
    "little,595.2,70.9,45.279\n"
    "little,691.2,75.8,38.986\n"
    "little,806.4,80.3,33.416\n"
    "little,902.4,84.1,29.869\n"
    "little,998.4,88.3,26.987\n"
    "little,1094.4,94.4,24.619\n"
    "little,1209.6,101.0,22.275\n"
    "little,1305.6,111.7,20.636\n"
    "little,1401.6,110.2,19.223\n"
    "little,1497.6,115.2,17.995\n"
    "little,1612.8,122.7,16.704\n"
    "little,1708.8,127.0,15.770\n"
    "little,1804.8,147.1,14.927\n";

// The prime core of a Snapdragon 888, second device: some clocks were not reached.
const char* const kSm8350Second =
    "unit,mhz,power_mw,time_ms\n"
    "prime,844.8,218.7,12.746\n"
    "prime,960,245.9,11.220\n"
    "prime,1075.2,274.4,10.016\n"
    "prime,1190.4,270.6,11.114\n"
    "prime,1305.6,272.1,10.543\n"
    "prime,1420.8,323.1,9.157\n"
    "prime,1555.2,421.6,7.017\n"
    "prime,1670.4,360.7,9.225\n"
    "prime,1785.6,469.5,7.072\n"
    "prime,1900.8,604.9,5.670\n"
    "prime,2035.2,677.8,5.292\n"
    "prime,2150.4,750.2,5.006\n"
    "prime,2265.6,871.3,4.751\n"
    "prime,2380.8,1011.8,4.526\n"
    "prime,2496,1188.6,4.313\n"
    "prime,2592,1293.4,4.155\n"
    "prime,2688,1464.6,4.007\n"
    "prime,2764.8,1477.7,3.897\n"
    "prime,2841.6,1706.6,3.791\n";

// Its LITTLE cores.
const char* const kSm8350SecondLittle =
    "unit,mhz,power_mw,time_ms\n"
    "little,300,61.9,89.933\n"
    "little,403.2,52.4,66.899\n"
    "little,499.2,54.9,53.995\n"
    "little,595.2,56.1,45.282\n"
    "little,691.2,58.1,38.991\n"
    "little,806.4,64.0,33.427\n"
    "little,902.4,67.9,29.869\n"
    "little,998.4,70.0,26.996\n"
    "little,1094.4,71.0,24.628\n"
    "little,1209.6,78.5,22.280\n"
    "little,1305.6,89.2,20.637\n"
    "little,1401.6,88.4,19.223\n"
    "little,1497.6,94.6,17.991\n"
    "little,1612.8,98.0,16.709\n"
    "little,1708.8,102.8,15.767\n"
    "little,1804.8,117.1,14.930\n";

}  // namespace flyball::testing
