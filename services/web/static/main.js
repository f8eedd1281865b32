// What the pages do beyond links and forms. Without it everything still works, one page at a time.
import { countDown } from "./clock.js";
import { openDialogs } from "./dialog.js";
import { followEvents } from "./live.js";
import { lightCauses } from "./picture.js";

countDown();
openDialogs();
followEvents();
lightCauses();
