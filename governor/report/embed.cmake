# Writes OUT, which defines the constants of page_assets.h from the files in DIR. Text only, so it works
# for every target; in pieces, since a string literal may be only so long in standard C++.
set(text "#include \"governor/report/page_assets.h\"\n\nnamespace flyball::report {\n\n")
foreach(asset kPageScript:page/report.js kPageStyle:page/report.css
              kLibraryScript:vendor/uplot/uPlot.iife.min.js kLibraryStyle:vendor/uplot/uPlot.min.css
              kLibraryLicence:vendor/uplot/LICENSE)
  string(REPLACE ":" ";" pair ${asset})
  list(GET pair 0 name)
  list(GET pair 1 file)
  file(READ ${DIR}/${file} content)
  string(LENGTH "${content}" length)
  string(APPEND text "const std::string_view ${name} =\n")
  set(begin 0)
  while(begin LESS length)
    string(SUBSTRING "${content}" ${begin} 8000 piece)
    string(APPEND text "R\"FLYBALL_TEXT(${piece})FLYBALL_TEXT\"\n")
    math(EXPR begin "${begin} + 8000")
  endwhile()
  string(APPEND text ";\n\n")
endforeach()
string(APPEND text "}  // namespace flyball::report\n")
file(WRITE ${OUT} "${text}")
